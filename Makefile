# `make app` and `make test` do all their own set-up in .venv. The browser that some tests need is not
# a Python package: `make test` installs it with apt-get where it may.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: app test install clean

app: .venv/installed
	$(BIN)/streamlit run app/Home.py

install: .venv/installed

.venv/installed: requirements.txt pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --requirement requirements.txt
	touch $@

.venv/test-installed: .venv/installed
	$(BIN)/python -m pip install --quiet --editable '.[test]'
	touch $@

test: .venv/test-installed
	sh tests/browser/chromium.sh
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest --numprocesses 2 --dist worksteal

clean:
	rm -rf .venv
