"""What the runs of a task learn from and are measured on, on the task's device."""

from typing import Any

from torch import Tensor

from kdlearn.data.batches import Answers, BatchStream, Inputs
from kdlearn.data.dataset import Dataset, Split
from kdlearn.data.files import read_tensors
from kdlearn.engine.once import Once
from kdlearn.engine.run import Run
from kdlearn.engine.tasks import Task, answers_file, trained_network
from kdlearn.engine.trial import num_classes
from kdlearn.training.answers import LiveAnswers, StoredAnswers, teacher_of
from kdlearn.training.processes import rows_of_this_process


class Materials:
    """Data, inputs and answers; what several runs share is placed or read once."""

    def __init__(self, task: Task) -> None:
        self.task, self.machine = task, task.machine
        self.once = Once()

    def data(self, run: Run) -> Dataset:
        return self.once(("data", id(run.data)), lambda: run.data.to(self.machine.device))

    def examples(self, run: Run) -> tuple[Split, Inputs]:
        """Training examples, as a network takes them where no views are made of them, and what it takes of an epoch."""

        def placed() -> tuple[Split, Inputs]:
            data, views = self.data(run), run.views
            if views is not None:
                return data.train, views.of(data)
            inputs = data.inputs("train")
            return data.train._replace(inputs=inputs), lambda epoch, rows: inputs[rows]

        return self.once(("examples", id(run.data), run.views), placed)

    def stream(self, run: Run, answers: Answers | None) -> BatchStream:
        examples, inputs = self.examples(run)
        options = {"rows": run.rows, "inputs": inputs, "answers": answers, "share": rows_of_this_process()}
        return BatchStream(examples, run.batch_size, seed=run.own_seed, **options)

    def answers(self, place: int) -> Answers | None:
        """What the teacher of a run says of its training rows, stored or asked live."""
        run, name = self.task.runs[place], self.task.answers[place]
        if not run.asks_teacher:
            return None
        if run.stores_answers:
            return self.once(("answers", name, run.num_epochs), lambda: self.read_epochs(name, run.num_epochs))
        _, inputs = self.examples(run)
        return LiveAnswers(self.teacher(place), inputs, [layer for _, layer in run.strategy.layers], self.machine)

    def teacher(self, place: int) -> Any:
        run, weights = self.task.runs[place], self.task.teachers[place]
        if weights is None:
            classes = num_classes(self.machine.place(run.build()), run, self.machine)
            return teacher_of(run.teacher, run.data, classes)
        return self.once(weights, lambda: self.machine.place(trained_network(run.teacher, self.task.folder, weights)))

    def read_epochs(self, name: str | None, num_epochs: int) -> StoredAnswers:
        device = self.machine.device
        return StoredAnswers([self.read_logits(name, str(epoch)).to(device) for epoch in range(num_epochs)])

    def read_logits(self, name: str | None, what: str) -> Tensor:
        file = answers_file(self.task.folder, name, what)
        return read_tensors(file, file.stem)["logits"]

    def test_inputs(self, run: Run) -> Tensor:
        return self.data(run).inputs(run.measured_on)

    def test_logits(self, place: int) -> Tensor | None:
        """The teacher's logits of what a run is measured on, if it says anything of it."""
        name, split = self.task.answers[place], self.task.runs[place].measured_on
        return self.read_logits(name, split).float() if answers_file(self.task.folder, name, split).exists() else None
