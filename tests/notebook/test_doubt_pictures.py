"""The head of the order of doubt, as notebook 02 shows it."""

from helpers.data.dataset import open_dataset
from helpers.data.frames.frame_source import read_frame
from helpers.notebook.doubt_pictures import doubt_gallery, doubt_table
from helpers.prediction.run import predict
from helpers.review.figures.doubt_figure import doubt_figure
from helpers.runs.run_folder import open_run
from tests.support.plain_predictor import PlainPredictor


def test_a_run_with_logits_ranks_its_cases(material):
    run, dataset = open_run(material / "demo-run"), open_dataset(material / "demo-data")
    table = doubt_table(run, count=3)
    rank = f"rank of {len(run.cases())} by Dice that the map expects"
    assert list(table) == [rank, "case_id", "status"] and table[rank].tolist() == [1, 2, 3]
    figure = doubt_gallery(run, dataset.cases, count=2)
    titles = [axis.get_title() for axis in figure.axes]
    assert titles[:3] == ["Original", "Prediction", "Where it was unsure"] and len(figure.axes) == 2 * 3 + 1
    labels = [axis.get_ylabel() for axis in figure.axes if axis.get_ylabel()]
    assert labels[:2] == table["case_id"].tolist()[:2] and labels[-1].startswith("p (1 - p) of the map")


def test_a_case_without_a_mask_is_first_in_the_table_and_in_no_picture(material, tmp_path):
    class Failing(PlainPredictor):
        def prepare(self, image):
            return super().prepare(image.point(lambda value: min(value, 254)))

        def predict(self, prepared, prompts):
            if prepared[0].sum() == self.worst:
                raise ValueError("no")
            return super().predict(prepared, prompts)

    dataset = open_dataset(material / "demo-data")
    predictor = Failing()
    frames = dataset.frames[:3]
    predictor.worst = predictor.prepare(read_frame(frames[1].path, frames[1].index, frames[1].bits)).sum()
    predict(frames, predictor, tmp_path / "run", ["vessels"], batch_size=1)
    run = open_run(tmp_path / "run")
    table = doubt_table(run)
    assert table.iloc[0].tolist()[1:] == [frames[1].case_id, "error"]
    assert len(doubt_gallery(run, dataset.cases, count=9).axes) == 2 * 3 + 1


def test_a_notice_stands_where_nothing_is_told():
    figure = doubt_figure([], "spread", notice="nothing is told")
    assert [text.get_text() for text in figure.texts] == ["nothing is told"]
