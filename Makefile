# Each target is a thin alias of the python -m command that it prints.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python -m

.PHONY: demo test lab notebooks lint clean

demo: $(VENV)/installed
	$(RUN) kdlearn demo

test: lint
	$(RUN) pytest
	$(RUN) pytest --nbval notebooks

lab: $(VENV)/installed
	$(RUN) kdlearn start my-course
	$(RUN) jupyter lab my-course

# Runs every notebook again and stores what it printed.
notebooks: $(VENV)/installed
	$(RUN) jupyter nbconvert --to notebook --execute --inplace --ExecutePreprocessor.record_timing=False notebooks/*.ipynb

lint: $(VENV)/installed
	$(RUN) ruff check .
	$(RUN) ruff format --check .

clean:
	rm -rf $(VENV) dist .pytest_cache .ruff_cache .hypothesis .coverage

# TORCH=cpu installs PyTorch's small CPU build first, from PyTorch's own index.
$(VENV)/installed: pyproject.toml
	test -d $(VENV) || $(PYTHON) -m venv $(VENV)
	$(if $(filter cpu,$(TORCH)),$(RUN) pip install torch torchvision --index-url https://download.pytorch.org/whl/cpu)
	$(RUN) pip install --editable ".[course,dev]"
	touch $@
