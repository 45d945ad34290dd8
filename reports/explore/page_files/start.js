// Draw everything, choose a point, and draw again when the reader's light changes.

if (points.id.length) {
  const asked = /^#point=(\d+)$/.exec(location.hash);
  const layered = Object.keys(study.layers.costs).map(Number);
  setUpCard(); // first: the plot beside the card is as high as the card
  setUpLayers();
  watchers.point.push(drawFrontTable);
  choose(asked && place.has(Number(asked[1])) ? Number(asked[1]) : layered[Math.floor(layered.length / 2)]);
  setUpFront();
  setUpParallel();
  setUpKnobs();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => tell("theme"));
  addEventListener("hashchange", () => {
    const again = /^#point=(\d+)$/.exec(location.hash);
    if (again) choose(Number(again[1]));
  });
}
document.documentElement.dataset.ready = "yes";
