"""The groups of viewers of a map with fog, and the tokens that they see through. Pure.

A group shares its view: with `fog_sharing` `party`, all players and spectators (PARTY); with `each`, each of them
alone. The party sees through every token whose `sight` any player has; a single player sees through those whose
`sight` they have.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple
from uuid import UUID

from game.fog.models import PARTY, FogSharing
from game.grants import MEMBERS
from game.grid.geometry import Cell, Grid
from game.grid.vision import Light, Observer, Sight, footprint, map_lights, token_light
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
    """The id of the group that a player or spectator belongs to."""
    return PARTY if sharing == FogSharing.party else user_id


@dataclass(frozen=True)
class MapState:
    """The state of a map: its grid, the tokens on it, and the members of its universe."""

    frame: dict[str, Any]
    width: int
    height: int
    is_published: bool
    sharing: str
    lighting: str
    members: Mapping[UUID, Role]
    pieces: Mapping[UUID, Piece]
    observer_ids: frozenset[UUID] | None = None
    """The only tokens that viewers see through; None: no restriction."""
    _observer_cache: dict[UUID, Observer] = field(default_factory=dict, compare=False, repr=False)
    _observers_cache: dict[tuple[UUID, frozenset[UUID] | None], tuple[Observer, ...]] = field(
        default_factory=dict, compare=False, repr=False
    )
    """Caches of `observer` and `observers`. Entries of a changed grid or token must be removed."""

    def viewers(self) -> list[UUID]:
        """The groups of the map."""
        if self.sharing == FogSharing.party:
            return [PARTY]
        return sorted(user_id for user_id, role in self.members.items() if role not in GAME_MASTERS)

    def observing_tokens(self, viewer: UUID) -> list[Piece]:
        """The tokens that a group sees through; none while it may not see the map."""
        if not self.is_published:
            return []
        holders = {MEMBERS, str(viewer)}
        if viewer == PARTY:
            holders |= {str(user_id) for user_id, role in self.members.items() if role is Role.player}
        return [
            piece
            for piece in self.pieces.values()
            if not holders.isdisjoint(piece.sharers)
            and (self.observer_ids is None or piece.id in self.observer_ids)
        ]

    def cells_of(self, piece: Piece) -> tuple[Cell, ...]:
        """The cells that a token occupies."""
        grid_type = Grid.of(self.frame).type
        return footprint(grid_type, piece.x, piece.y, piece.size, self.width, self.height)

    def observer(self, piece: Piece) -> Observer:
        """A token as an observer: its cells and its sight."""
        observer = self._observer_cache.get(piece.id)
        if observer is None:
            observer = self._observer_cache[piece.id] = Observer(self.cells_of(piece), Sight.of(piece.sight))
        return observer

    def observers(self, viewer: UUID) -> tuple[Observer, ...]:
        """The observers of a group."""
        if not self.is_published:
            return ()
        key = viewer, self.observer_ids
        observers = self._observers_cache.get(key)
        if observers is None:
            observers = self._observers_cache[key] = tuple(map(self.observer, self.observing_tokens(viewer)))
        return observers

    def lights(self) -> list[Light]:
        """All lights: the map's, and those of tokens that are not hidden."""
        lights = map_lights(self.frame, self.width, self.height)
        carried = (token_light(self.cells_of(one), one.light) for one in self.pieces.values() if not one.hidden)
        return lights + [light for light in carried if light is not None]

    def with_token(self, piece: Piece) -> "MapState":
        """A copy with one token replaced."""
        observers = {
            token_id: observer for token_id, observer in self._observer_cache.items() if token_id != piece.id
        }
        return replace(
            self, pieces={**self.pieces, piece.id: piece}, _observer_cache=observers, _observers_cache={}
        )

    def with_frame(self, frame: dict[str, Any], width: int, height: int) -> "MapState":
        """A copy with another grid; `sight` of the tokens must be unchanged."""
        old, new = (self.frame, self.width, self.height), (frame, width, height)
        if (Grid.of(old[0]).type, *old[1:]) == (Grid.of(new[0]).type, *new[1:]):
            return replace(self, frame=frame, width=width, height=height)
        return replace(self, frame=frame, width=width, height=height, _observer_cache={}, _observers_cache={})
