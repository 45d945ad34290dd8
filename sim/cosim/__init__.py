"""The RTL compared with model and reference: layers, whole networks, random machines and Programs."""
