"""Everything that carries a call: each transport is one Leg of a voice_core call."""
