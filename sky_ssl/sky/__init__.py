"""From telescope files to cutouts: surveys, tiles, catalogues, detection, cutting, the mock sky."""
