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
	@$(UV) pip install --quiet --python $(PY) --require-hashes -r requirements.txt
	@touch $@

.venv/.dev: requirements-dev.txt | $(PY)
	@echo "→ installing what the product and its tests need"
	@$(UV) pip install --quiet --python $(PY) --require-hashes -r requirements-dev.txt
	@touch $@ .venv/.run

.venv/.words: $(shell find . -name '*.po' -not -path './.venv/*') | $(PY)
	@$(PY) -m babel.messages.frontend --quiet compile -d backend/locale -D django
	@touch $@

.PHONY: help
