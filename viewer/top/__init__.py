"""``flamespan top``: what a recording that is being written says of the last seconds."""
