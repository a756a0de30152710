"""Where on the sky an image lies, as one token for the encoder.

Real spherical harmonics of RA and Dec through a small network of sines (Russwurm et al. 2024,
arXiv:2310.06743): smooth over the sky, without a seam at RA 0 or a crowd at the poles.

Caveat: with it the model learns the footprint and the depth of its survey, and galaxies may come
out alike since they lie in one field. It is off by default, and wrong for a search that is to find
the same kind of object everywhere. Where nobody says where an image lies (uploads, windows of
tiles, the page of reconstructions) the learned token stands in, which `model.sky_withheld` trains.
"""

import math

import torch
from torch import nn

_OMEGA = 30.0  # of the first sines (Sitzmann et al. 2020, arXiv:2006.09661, section 3.2)
_HIDDEN = 64


class SkyToken(nn.Module):
    """A token (B, 1, width) of a position; a learned one where the position is not known.

    Args:
        width: numbers per token.
        degree: highest degree of the harmonics; details of about 180 / degree deg are seen.
    """

    def __init__(self, width: int, degree: int) -> None:
        super().__init__()
        self.degree = degree
        count = (degree + 1) ** 2
        self.first = nn.Linear(count, _HIDDEN)
        self.second = nn.Linear(_HIDDEN, _HIDDEN)
        self.last = nn.Linear(_HIDDEN, width)
        self.absent = nn.Parameter(torch.zeros(width))
        # Sitzmann et al. 2020, theorem 1.8: sines keep the spread of their inputs
        bounds = {self.first: 1 / count, self.second: math.sqrt(6 / _HIDDEN)}
        for layer, bound in bounds.items():
            nn.init.uniform_(layer.weight, -bound, bound)
        nn.init.xavier_uniform_(self.last.weight)
        nn.init.zeros_(self.last.bias)
        nn.init.trunc_normal_(self.absent, std=0.02)

    def forward(self, sky: torch.Tensor) -> torch.Tensor:
        """Give tokens (B, 1, width) of positions (B, 2): RA and Dec in degrees, NaN = unknown."""
        known = sky.isfinite().all(dim=1, keepdim=True)
        ra, dec = torch.where(known, sky, 0.0).double().unbind(1)
        x = harmonics(ra, dec, self.degree).float()
        x = torch.sin(_OMEGA * self.first(x))
        x = torch.sin(self.second(x))
        return torch.where(known, self.last(x), self.absent)[:, None]


def harmonics(ra: torch.Tensor, dec: torch.Tensor, degree: int) -> torch.Tensor:
    """Evaluate real spherical harmonics, orthonormal on the sphere, without Condon-Shortley sign.

    Args:
        ra, dec: (B,) degrees.
        degree: highest degree.

    Returns:
        (B, (degree + 1)^2) of the precision of `ra`, by degree l, then order m from -l to l: sines
        of |m| RA for negative orders.

    Source: fully normalised Legendre functions by recursion over the degree (Holmes & Featherstone
    2002, J. Geodesy 76, 279, equations 11 to 13; there normalised to 4 pi).
    """
    longitude, latitude = torch.deg2rad(ra), torch.deg2rad(dec)
    sine, cosine = latitude.sin(), latitude.cos()
    columns: dict[tuple[int, int], torch.Tensor] = {}
    sectoral = torch.full_like(ra, 1 / math.sqrt(4 * math.pi))
    for m in range(degree + 1):
        if m:
            sectoral = math.sqrt((2 * m + 1) / (2 * m)) * cosine * sectoral
        before, legendre = torch.zeros_like(ra), sectoral
        for n in range(m, degree + 1):
            if n > m:
                a = math.sqrt((4 * n**2 - 1) / (n**2 - m**2))
                b = math.sqrt(((n - 1) ** 2 - m**2) / (4 * (n - 1) ** 2 - 1)) if n > m + 1 else 0.0
                before, legendre = legendre, a * (sine * legendre - b * before)
            if m == 0:
                columns[n, 0] = legendre
            else:
                columns[n, m] = math.sqrt(2) * legendre * (m * longitude).cos()
                columns[n, -m] = math.sqrt(2) * legendre * (m * longitude).sin()
    return torch.stack([columns[n, m] for n in range(degree + 1) for m in range(-n, n + 1)], dim=1)
