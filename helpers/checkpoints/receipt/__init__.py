"""The receipt: what official Sa2VA code computes, recorded by one file without the kit and read by the kit."""
