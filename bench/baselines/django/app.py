"""Django REST framework in one file: models, an authentication class, serializers, generic views."""
# ruff: noqa: E402 - Django needs its settings before its models

import os
from typing import Any

import django
import jwt
from django.conf import settings
from django.core.wsgi import get_wsgi_application

settings.configure(
    SECRET_KEY=os.environ["JWT_KEY"],
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    USE_TZ=True,
    TIME_ZONE="UTC",
    INSTALLED_APPS=["rest_framework"],
    MIDDLEWARE=["django.middleware.security.SecurityMiddleware", "django.middleware.common.CommonMiddleware"],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "HOST": os.environ["PGHOST"],
            "NAME": os.environ["PGDATABASE"],
            "USER": os.environ["PGUSER"],
            "CONN_MAX_AGE": None,
        }
    },
    REST_FRAMEWORK={
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
        "UNAUTHENTICATED_USER": None,
    },
)
django.setup()

from django.db import models
from django.urls import path
from django.utils import timezone
from rest_framework import authentication, exceptions, generics, pagination, permissions, serializers
from rest_framework.response import Response


class Account(models.Model):
    id = models.UUIDField(primary_key=True)
    is_active = models.BooleanField()
    is_authenticated = True

    class Meta:
        app_label, db_table = "bench", "account"


class AuthSession(models.Model):
    id = models.UUIDField(primary_key=True)
    user = models.ForeignKey(Account, models.CASCADE)
    expires_at = models.DateTimeField()

    class Meta:
        app_label, db_table = "bench", "auth_session"


class Universe(models.Model):
    id = models.UUIDField(primary_key=True)
    name = models.CharField(max_length=100)
    description = models.TextField()
    owner = models.ForeignKey(Account, models.CASCADE)
    version = models.IntegerField()
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        app_label, db_table = "bench", "universe"


class Member(models.Model):
    pk = models.CompositePrimaryKey("universe_id", "user_id")
    universe = models.ForeignKey(Universe, models.CASCADE)
    user = models.ForeignKey(Account, models.CASCADE)
    role = models.CharField(max_length=20)

    class Meta:
        app_label, db_table = "bench", "member"


class Map(models.Model):
    id = models.UUIDField(primary_key=True)
    universe = models.ForeignKey(Universe, models.CASCADE)
    name = models.CharField(max_length=100)
    description = models.TextField()
    grid_data = models.JSONField()
    version = models.IntegerField()
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        app_label, db_table = "bench", "bench_map"


class BearerAuthentication(authentication.BaseAuthentication):
    def authenticate(self, request: Any) -> Any:
        token = authentication.get_authorization_header(request).partition(b" ")[2]
        try:
            claims = jwt.decode(token, os.environ["JWT_KEY"], ["HS256"], audience="worldkeep:access")
        except jwt.PyJWTError:
            raise exceptions.AuthenticationFailed from None
        sessions = AuthSession.objects.select_related("user").filter(expires_at__gt=timezone.now())
        session = sessions.filter(id=claims["sid"], user_id=claims["sub"], user__is_active=True).first()
        if session is None:
            raise exceptions.AuthenticationFailed
        return session.user, session

    def authenticate_header(self, request: Any) -> str:
        return "Bearer"


class UniverseSerializer(serializers.ModelSerializer):
    owner_id = serializers.UUIDField()

    class Meta:
        model = Universe
        fields = ("id", "name", "description", "owner_id", "version", "created_at", "updated_at")


class MapSerializer(serializers.ModelSerializer):
    universe_id = serializers.UUIDField()

    class Meta:
        model = Map
        fields = ("id", "universe_id", "name", "description", "grid_data", "version", "created_at", "updated_at")


class Page(pagination.CursorPagination):
    page_size, page_size_query_param, max_page_size, ordering = 20, "limit", 100, "id"


def universes_of(user: Any, **roles: Any) -> Any:
    # The models belong to no installed app, so Django has no relation from a universe to its members.
    return Member.objects.filter(user=user, **roles).values("universe_id")


class Guarded:
    authentication_classes = (BearerAuthentication,)
    permission_classes = (permissions.IsAuthenticated,)


class OneView(Guarded, generics.RetrieveAPIView):
    def retrieve(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        row = self.get_object()
        headers = {"ETag": f'"{row.version}"'}
        if request.headers.get("If-None-Match") == headers["ETag"]:
            return Response(status=304, headers=headers)
        return Response(self.get_serializer(row).data, headers=headers)


class UniverseView(OneView):
    serializer_class = UniverseSerializer

    def get_queryset(self) -> Any:
        return Universe.objects.filter(id__in=universes_of(self.request.user))


class UniversesView(Guarded, generics.ListAPIView):
    serializer_class = UniverseSerializer
    pagination_class = Page

    def get_queryset(self) -> Any:
        return Universe.objects.filter(id__in=universes_of(self.request.user))


class MapView(OneView):
    serializer_class = MapSerializer

    def get_queryset(self) -> Any:
        return Map.objects.filter(universe__in=universes_of(self.request.user, role__in=("owner", "game_master")))


urlpatterns = [
    path("universes", UniversesView.as_view()),
    path("universes/<uuid:pk>", UniverseView.as_view()),
    path("maps/<uuid:pk>", MapView.as_view()),
]
app = get_wsgi_application()
