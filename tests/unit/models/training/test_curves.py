from PIL import Image

from echotrain.models.training.curves import CurvePoint, draw_png, write_csv

CURVE = [
    CurvePoint(step=0, seconds=0.5, learning_rate=1e-5, loss=None, psnr=25.0),
    CurvePoint(step=100, seconds=12.25, learning_rate=1e-3, loss=0.125, psnr=30.5),
]


def test_the_table_has_a_line_for_each_point(tmp_path):
    write_csv(tmp_path / "curves.csv", CURVE)
    assert (tmp_path / "curves.csv").read_text().splitlines() == [
        "step,seconds,learning_rate,loss,psnr",
        "0,0.5,1e-05,,25",
        "100,12.25,0.001,0.125,30.5",
    ]


def test_the_picture_is_drawn_even_for_one_point(tmp_path):
    for curve in (CURVE, CURVE[:1]):
        draw_png(tmp_path / "curves.png", curve, 24.0)
        with Image.open(tmp_path / "curves.png") as picture:
            assert picture.size == (800, 320)
