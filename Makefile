# Worldkeep. `make` lists the targets.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
JAVASCRIPT := eslint.config.js 'admin/static/**/*.js' 'web/**/*.js' 'web/**/*.mjs' 'tests/**/*.mjs'

.DEFAULT_GOAL := help
.PHONY: help install run test lint screenshots bench openapi settings lock vendor clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(VENV)/.installed ## Create .venv with the locked dependencies

run: install ## Serve the demo on http://127.0.0.1:8000, or on another PORT=...
	@exec $(PY) -m game serve --demo $(if $(PORT),--port $(PORT))

# If it is set, each worker and each server compiles everything again.
test soak: export PYTHONDONTWRITEBYTECODE :=

test: $(VENV)/.installed-dev ## Run the tests, with a temporary PostgreSQL
	$(PY) -m pytest -n 2

soak: $(VENV)/.installed-dev ## Run the property-based tests with many new examples; takes an hour
	$(PY) -m pytest -n 2 --hypothesis-profile soak -k "not browser" $(SOAK)

lint: $(VENV)/.installed-dev node_modules/.installed ## Check style, types and the direction of imports
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports
	node_modules/.bin/eslint .
	node web/vendor/build.mjs --check
	node_modules/.bin/tsc --project .
	node_modules/.bin/prettier --check --log-level warn $(JAVASCRIPT)

screenshots: $(VENV)/.installed-dev ## Take the screenshots of docs/back-office.md; needs Chromium
	$(PY) -m tests.browser.screenshots

bench: $(VENV)/.installed-dev ## Run the benchmarks, also of comparable servers
	$(PY) -m bench
	$(PY) -m bench.live

openapi: $(VENV)/.installed-dev ## Regenerate openapi.json and asyncapi.json
	$(PY) -m game openapi > openapi.json
	$(PY) -m game asyncapi > asyncapi.json

settings: $(VENV)/.installed ## Regenerate docs/settings.md
	$(PY) -m game settings > docs/settings.md

lock: $(VENV)/.installed-dev ## Regenerate the lock files, with hashes and without URLs
	$(VENV)/bin/uv pip compile --universal --generate-hashes --no-emit-index-url --no-header --upgrade \
		--python-version 3.11 -q pyproject.toml -o requirements.lock
	$(VENV)/bin/uv pip compile --universal --generate-hashes --no-emit-index-url --no-header --upgrade \
		--python-version 3.11 -q pyproject.toml --group dev -c requirements.lock -o requirements-dev.lock
	npm update --package-lock-only --omit-lockfile-registry-resolved --no-audit --no-fund
	$(PY) -c 'import json, pathlib; path = pathlib.Path("package-lock.json"); lock = json.loads(path.read_text()); \
		[one.pop("funding", None) for one in lock["packages"].values()]; \
		path.write_text(json.dumps(lock, indent=2) + "\n")'

vendor: node_modules/.installed ## Bundle the libraries in web/vendor from the packages of package-lock.json
	node web/vendor/build.mjs

clean: ## Remove .venv and caches
	rm -rf $(VENV) node_modules .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache

$(VENV)/.installed: requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Worldkeep needs Python 3.11 or newer: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@touch $@

$(VENV)/.installed-dev: requirements-dev.lock $(VENV)/.installed
	$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

node_modules/.installed: package-lock.json
	@command -v npm >/dev/null || { echo "make lint needs Node.js 18.18 or newer: install node and npm."; exit 1; }
	npm ci --no-audit --no-fund --silent
	@touch $@
