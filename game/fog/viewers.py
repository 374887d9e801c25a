"""The groups of viewers on a map with fog, and the tokens that they see through. Pure.

Those who see together are a group: with the sharing `party`, all players and spectators (PARTY); with `each`, each
of them alone. The party sees through every token whose `sight` any player has; a single player sees through those
whose `sight` they have.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple
from uuid import UUID

from game.fog.models import PARTY, FogSharing
from game.grants import MEMBERS
from game.grid.geometry import Cell, Grid
from game.grid.vision import Eyes, Light, Sight, footprint, map_lights, token_light
from game.permissions import GAME_MASTERS, Role


class Piece(NamedTuple):
    """A token, with the data that matters for sight; `sharers` are the holders of the right to its sight."""

    id: UUID
    x: float
    y: float
    size: float
    hidden: bool
    sight: Mapping[str, Any] | None
    light: Mapping[str, Any] | None
    sharers: frozenset[str]


def viewer_of(sharing: str, user_id: UUID) -> UUID:
    """The group that a player or a spectator belongs to."""
    return PARTY if sharing == FogSharing.party else user_id


@dataclass(frozen=True)
class Table:
    """A map at one moment, with the tokens on it and the members of its universe."""

    frame: dict[str, Any]
    width: int
    height: int
    is_published: bool
    sharing: str
    lighting: str
    members: Mapping[UUID, Role]
    pieces: Mapping[UUID, Piece]
    eyes: frozenset[UUID] | None = None
    """The tokens that anybody sees through; None for all."""
    _eyes: dict[UUID, Eyes] = field(default_factory=dict, compare=False, repr=False)
    _groups: dict[tuple[UUID, frozenset[UUID] | None], tuple[Eyes, ...]] = field(
        default_factory=dict, compare=False, repr=False
    )
    """Caches of `eye` and `group`. Entries of a changed grid or token must be removed."""

    def viewers(self) -> list[UUID]:
        """The groups of the map."""
        if self.sharing == FogSharing.party:
            return [PARTY]
        return sorted(user_id for user_id, role in self.members.items() if role not in GAME_MASTERS)

    def eyes_of(self, viewer: UUID) -> list[Piece]:
        """The tokens that a group sees through; none while it may not see the map."""
        if not self.is_published:
            return []
        holders = {MEMBERS, str(viewer)}
        if viewer == PARTY:
            holders |= {str(user_id) for user_id, role in self.members.items() if role is Role.player}
        return [
            piece
            for piece in self.pieces.values()
            if not holders.isdisjoint(piece.sharers) and (self.eyes is None or piece.id in self.eyes)
        ]

    def cells_of(self, piece: Piece) -> tuple[Cell, ...]:
        """The cells that a token occupies."""
        grid_type = Grid.of(self.frame).type
        return footprint(grid_type, piece.x, piece.y, piece.size, self.width, self.height)

    def eye(self, piece: Piece) -> Eyes:
        """A token as one that sees."""
        eye = self._eyes.get(piece.id)
        if eye is None:
            eye = self._eyes[piece.id] = Eyes(self.cells_of(piece), Sight.of(piece.sight))
        return eye

    def group(self, viewer: UUID) -> tuple[Eyes, ...]:
        """The tokens that a group sees through, as those that see."""
        if not self.is_published:
            return ()
        key = viewer, self.eyes
        eyes = self._groups.get(key)
        if eyes is None:
            eyes = self._groups[key] = tuple(map(self.eye, self.eyes_of(viewer)))
        return eyes

    def lights(self) -> list[Light]:
        """All lights: the map's, and those that tokens carry. Those of hidden tokens are out."""
        lights = map_lights(self.frame, self.width, self.height)
        carried = (token_light(self.cells_of(one), one.light) for one in self.pieces.values() if not one.hidden)
        return lights + [light for light in carried if light is not None]

    def at(self, piece: Piece) -> "Table":
        """The same with a token changed."""
        eyes = {token_id: eye for token_id, eye in self._eyes.items() if token_id != piece.id}
        return replace(self, pieces={**self.pieces, piece.id: piece}, _eyes=eyes, _groups={})

    def with_frame(self, frame: dict[str, Any], width: int, height: int) -> "Table":
        """The same with another grid; `sight` of the tokens must be as before."""
        old, new = (self.frame, self.width, self.height), (frame, width, height)
        if (Grid.of(old[0]).type, *old[1:]) == (Grid.of(new[0]).type, *new[1:]):
            return replace(self, frame=frame, width=width, height=height)
        return replace(self, frame=frame, width=width, height=height, _eyes={}, _groups={})
