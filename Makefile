# Everything a newcomer types. Needs python3, pip and make; the rest is installed into .tools/ and .venv/.
.DEFAULT_GOAL := help
PY := .venv/bin/python
UV := .tools/bin/uv

help:  ## what can be typed here
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:[^#]*## /\t/' | expand -t 14

$(UV):
	@echo "→ installing uv into .tools/"
	@python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --target .tools uv

$(PY): | $(UV)
	@echo "→ creating .venv"
	@$(UV) venv --quiet --allow-existing --python "$$(command -v python3)" .venv

.venv/.run: requirements.txt | $(PY)
	@echo "→ installing what the product needs"
	@$(UV) pip install --quiet --compile-bytecode --python $(PY) --require-hashes -r requirements.txt
	@touch $@

.venv/.dev: requirements-dev.txt | $(PY)
	@echo "→ installing what the product and its tests need"
	@$(UV) pip install --quiet --compile-bytecode --python $(PY) --require-hashes -r requirements-dev.txt
	@touch $@ .venv/.run

.venv/.words: $(shell find . -name '*.po' -not -path './.venv/*') | $(PY)
	@$(PY) -m babel.messages.frontend --quiet compile -d backend/locale -D django
	@touch $@

run: .venv/.run .venv/.words  ## everything with a demo company, until Ctrl-C
	@exec $(PY) manage.py up --demo

journey: .venv/.run .venv/.words  ## one question's journey in a throw-away folder; fails when a step fails
	@$(PY) manage.py up --demo --throwaway

test: .venv/.dev .venv/.words  ## the tests, in minutes
	$(PY) -m pytest -q -m "not heavy" -n 2

test-all: .venv/.dev .venv/.words  ## and what is heavy: browser, killed processes
	@command -v chromium >/dev/null || (apt-get update -qq && apt-get install -y -qq chromium >/dev/null)
	@command -v java >/dev/null || (apt-get update -qq && apt-get install -y -qq default-jre-headless >/dev/null)
	@command -v npm >/dev/null || (apt-get update -qq && apt-get install -y -qq nodejs npm >/dev/null)
	$(PY) -m pytest -q -m heavy

lint: .venv/.dev .venv/.words  ## style, types, layers, migrations, specification
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy .
	.venv/bin/lint-imports
	$(PY) manage.py makemigrations --check --dry-run
	$(PY) manage.py openapi --check

spec: .venv/.run .venv/.words  ## write mobile_api_spec/openapi.json anew
	$(PY) manage.py openapi

clients: .venv/.dev  ## the example app's TypeScript client, generated; needs Java and npm
	$(PY) -m tests.mobile_api_spec.generator typescript-fetch mobile_api_spec/examples/client
	cd mobile_api_spec/examples && npm install --silent --no-package-lock

words: .venv/.dev  ## collect texts for translation into backend/locale
	$(PY) -m babel.messages.frontend --quiet extract -F backend/locale/babel.cfg --no-location --omit-header -k gettext_lazy -k _now -o backend/locale/django.pot .
	$(PY) -m babel.messages.frontend --quiet update -i backend/locale/django.pot -d backend/locale -D django -l nl --no-fuzzy-matching --ignore-pot-creation-date --ignore-obsolete
	@rm backend/locale/django.pot

lock: $(UV)  ## pin every dependency anew, with hashes and without addresses
	$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header pyproject.toml -o requirements.txt
	$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --group dev -c requirements.txt pyproject.toml -o requirements-dev.txt

.PHONY: help run journey test test-all lint spec clients words lock
