"""The mock survey: populations, rendering and artefacts of a five-band sky with known truth."""
