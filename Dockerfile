# The server. `docker build -t worldkeep .`, then see compose.yaml.
FROM python:3.13-slim AS build

COPY requirements.lock /
RUN python -m venv /venv \
    && /venv/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r /requirements.lock
COPY . /app
RUN rm /app/requirements.lock && /venv/bin/python -m compileall -q /app

FROM python:3.13-slim

RUN useradd --system --user-group --uid 10001 --no-create-home worldkeep \
    && install -d -o worldkeep -g worldkeep -m 0700 /var/lib/worldkeep
COPY --from=build /venv /venv
COPY --from=build /app /app

ENV PATH=/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    WORLDKEEP_DATA_DIR=/var/lib/worldkeep \
    WORLDKEEP_HOST=0.0.0.0 \
    WORLDKEEP_PORT=8000
WORKDIR /app
# By number, so that Kubernetes can check that it is not root.
USER 10001
VOLUME /var/lib/worldkeep
EXPOSE 8000

HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/health', timeout=2)"]

ENTRYPOINT ["python", "-m", "game"]
CMD ["serve"]
