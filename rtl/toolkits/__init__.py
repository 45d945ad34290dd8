"""The machine as a part of designs that are written with other toolkits."""
