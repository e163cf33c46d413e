# make repl    write with the bundled model           make test    everything that CI checks
# make bench   speed, side by side on this machine     make soak    the tests that take minutes
# make bench-repl  the terminal's answers          make bench-bot   the bot under load
# make soak-bot    a day of the bot in ten minutes, with faults
# make pythons     install, one reply and the fast tests, with each Python that is found
# make clean   remove what make has made

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
WITHOUT_TENSORFLOW := tests/engine/text tests/engine/conversation tests/engine/serving tests/engine/test_sampling.py

.PHONY: repl test soak lint bench bench-repl bench-bot soak-bot pythons clean python
.DEFAULT_GOAL := repl

repl: .venv/repl-installed
	@$(BIN)/textrepl

test: .venv/test-installed lint
	$(BIN)/python -m pytest -n auto --dist loadfile

lint: .venv/test-installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

soak: .venv/test-installed
	$(BIN)/python -m pytest -m slow

bench: .venv/test-installed
	$(BIN)/python -m engine.bench

bench-repl: .venv/test-installed
	$(BIN)/python -m tests.repl.latency

bench-bot: .venv/test-installed
	$(BIN)/python -m tests.bot.measurements.load

soak-bot: .venv/test-installed
	$(BIN)/python -m tests.bot.measurements.soak

pythons:
	@failed=; for version in 3.11 3.12 3.13 3.14; do \
		python=; home=build/pythons/$$version; \
		for candidate in python$$version "$$(pyenv root 2>/dev/null)"/versions/$$version.*/bin/python; do \
			"$$candidate" -c 'import ensurepip, venv' 2>/dev/null && python=$$candidate && break; \
		done; \
		if [ -z "$$python" ]; then echo "Python $$version: not found"; continue; fi; \
		echo "Python $$version: $$python"; rm -rf $$home; \
		"$$python" -m venv $$home && \
		$$home/bin/python -m pip install --quiet --disable-pip-version-check '.[dev]' && \
		$$home/bin/textrepl --prompt 'ROMEO:' --length 40 --seed 7 && echo && \
		$$home/bin/python -m pytest $(WITHOUT_TENSORFLOW) && \
		echo "Python $$version: passed" || { echo "Python $$version: FAILED"; failed=yes; }; \
	done; test -z "$$failed"

clean:
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis

python:
	@test -n "$(PYTHON)" || { echo "textrepl needs Python 3.11 or newer: install it, or name it as in 'make repl PYTHON=python3.12'"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "$(PYTHON) is missing or older than 3.11: install Python 3.11 or newer, or name it as in 'make repl PYTHON=python3.12'"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "$(PYTHON) has no venv: install it (on Debian and Ubuntu 'apt install python3-venv')"; exit 1; }

.venv/pyvenv.cfg: | python
	@$(PYTHON) -m venv .venv

.venv/repl-installed: pyproject.toml .venv/pyvenv.cfg
	@echo "installing textrepl into .venv (once, some 70 MB) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

.venv/test-installed: pyproject.toml .venv/pyvenv.cfg
	@echo "installing the trainer and the tests into .venv (once, some 2 GB) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[train,bot,dev]'
	@touch $@ .venv/repl-installed
