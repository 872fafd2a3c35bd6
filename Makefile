# Each target is a thin alias of the python -m command that it prints.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python -m

.PHONY: demo test release-test lab assignment notebooks atlas study book chapters-pdf serve slides handouts exam class-kit lint clean

demo: $(VENV)/installed
	$(RUN) kdlearn demo

# Side by side, a thread each: more threads than cores wait for each other. A notebook's cells share a kernel: one worker.
SIDE_BY_SIDE := --numprocesses auto --maxprocesses 4 --dist loadscope
test release-test: export OMP_NUM_THREADS = 1
test: lint
	$(RUN) pytest $(SIDE_BY_SIDE) -m "not release"
	$(RUN) pytest $(SIDE_BY_SIDE) --nbval notebooks

# What only a release needs, about ten minutes more.
release-test: $(VENV)/installed
	$(RUN) pytest $(SIDE_BY_SIDE) -m release

lab: $(VENV)/installed
	$(RUN) kdlearn start my-course
	$(RUN) jupyter lab my-course

# nbgrader's course folder; what lies there already is kept.
assignment: $(VENV)/installed
	$(RUN) kdlearn start assignment --assignment

# Runs every notebook again and stores what it printed, in one piece however slowly it came.
notebooks: $(VENV)/installed
	$(RUN) jupyter nbconvert --to notebook --execute --inplace --ExecutePreprocessor.record_timing=False \
	  --ExecutePreprocessor.store_widget_state=False notebooks/*.ipynb
	$(RUN) jupyter nbconvert --to notebook --inplace --coalesce-streams notebooks/*.ipynb

# About four hours on two cores; it goes on where it was stopped.
atlas: $(VENV)/installed
	$(VENV)/bin/python studies/atlas/plan.py atlas --workers 2

# `make study NAME=language_models` carries out a recorded study again; its plan tells the cost, and it goes on where it
# was stopped. A plan that takes no folder is carried out with `FOLDER=`.
study: FOLDER ?= runs/$(NAME)
study: $(VENV)/installed
	$(VENV)/bin/python studies/$(NAME)/plan.py $(FOLDER)

# npm brings MathJax and Mermaid, so that the built book needs no network.
book: $(VENV)/installed
	npm install --prefix book --no-package-lock --ignore-scripts --no-audit --no-fund
	$(RUN) sphinx -W --keep-going -q -d book/_build/doctrees -b html book book/_build/html

# A PDF a chapter, to hand out, in book/_build/pdf.
chapters-pdf: book
	$(VENV)/bin/python book/chapters_pdf.py

# The decks of book/teaching/decks for a browser, and as PDF by Chromium.
slides: $(VENV)/installed
	npm install --prefix book --no-package-lock --ignore-scripts --no-audit --no-fund
	$(VENV)/bin/python book/teaching/decks.py book/teaching/_build

handouts: slides
	$(VENV)/bin/python book/teaching/handouts.py book/teaching/_build

# `make exam SEED="a phrase that you keep"`: the sheet and its answers, the same for the same phrase.
exam: $(VENV)/installed
	$(VENV)/bin/python book/teaching/exam.py "$(SEED)" book/teaching/_build

# One file for a USB stick; everything in it opens by a double click.
class-kit: book slides
	$(VENV)/bin/python book/teaching/kit.py book/_build/html book/teaching/_build dist/kdlearn-class-kit.zip

serve: book
	$(RUN) http.server --directory book/_build/html --bind 127.0.0.1 8000

lint: $(VENV)/installed
	$(RUN) ruff check .
	$(RUN) ruff format --check .

clean:
	rm -rf $(VENV) dist book/_build book/node_modules book/notebooks book/article book/found book/evidence.md book/glossary.md book/teaching/_build .pytest_cache .ruff_cache .hypothesis .coverage

# TORCH=cpu installs PyTorch's small CPU build first, from PyTorch's own index.
$(VENV)/installed: pyproject.toml
	test -d $(VENV) || $(PYTHON) -m venv $(VENV)
	$(if $(filter cpu,$(TORCH)),$(RUN) pip install torch torchvision --index-url https://download.pytorch.org/whl/cpu)
	$(RUN) pip install --editable ".[course,dev]"
	touch $@
