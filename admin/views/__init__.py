"""The views of the back office: of universes and what is in them, for game masters; others are for superusers."""

from collections.abc import Sequence

from admin.views.assets import AssetView
from admin.views.base import View
from admin.views.characters import CharacterView
from admin.views.encounters import EncounterView
from admin.views.events import EventView
from admin.views.maps import MapView
from admin.views.members import MemberView
from admin.views.messages import MessageView
from admin.views.notes import NoteView
from admin.views.rolls import RollView
from admin.views.sessions import SessionView
from admin.views.tokens import TokenView
from admin.views.universes import UniverseView
from admin.views.users import UserView

VIEWS: Sequence[type[View]] = (
    UniverseView,
    MapView,
    TokenView,
    CharacterView,
    EncounterView,
    NoteView,
    RollView,
    MessageView,
    AssetView,
    EventView,
    UserView,
    MemberView,
    SessionView,
)
"""In the order of the menu."""
