"""The region of interest against a slow search that looks at every square."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_app.crop import crop_pair, largest_square
from firmware_app.journey import Circle, Frame, Polygon, Roi, Square
from firmware_app.screen.colour_box import Sector, polygon_of


def inside(polygon: Polygon, x: int, y: int) -> bool:
    """Even-odd rule, the outline included."""
    odd = False
    for (x0, y0), (x1, y1) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        cross = (x1 - x0) * (y - y0) - (y1 - y0) * (x - x0)
        if abs(cross) < 1e-7 and min(x0, x1) <= x <= max(x0, x1) and min(y0, y1) <= y <= max(y0, y1):
            return True
        if (y0 > y) != (y1 > y) and x < (x1 - x0) * (y - y0) / (y1 - y0) + x0:
            odd = not odd
    return odd


def slow_largest_side(polygon: Polygon, circle: Circle | None, stretch: float) -> int:
    """Side of the largest square all of whose pixels are inside; 0 if there is none. Tries all of them."""
    low, high = np.floor(polygon.min(axis=0)).astype(int), np.ceil(polygon.max(axis=0)).astype(int)
    width, height = high - low + 1
    grid = np.array([[inside(polygon, x + low[0], y + low[1]) for x in range(width)] for y in range(height)])
    best = 0
    for side in range(1, min(round(width / stretch) + 1, height) + 1):
        wide = round(side * stretch)
        for y in range(height - side + 1):
            for x in range(width - wide + 1):
                if not grid[y : y + side, x : x + wide].all():
                    continue
                left, top = x + low[0], y + low[1]
                if circle is None or (
                    left <= math.floor(circle.x - circle.r * stretch)
                    and left + wide - 1 >= math.ceil(circle.x + circle.r * stretch)
                    and top <= math.floor(circle.y - circle.r)
                    and top + side - 1 >= math.ceil(circle.y + circle.r)
                ):
                    best = side
    return best


@st.composite
def sectors(draw: st.DrawFn) -> Polygon:
    """Small annular sectors, so that the slow search stays bearable."""
    top = draw(st.floats(30, 50))
    half = draw(st.floats(0.1, 0.25))
    lean = draw(st.floats(-0.15, 0.15))
    shape = Sector(40.3, -25.7, lean - half, lean + half, top, top + draw(st.floats(8, 16)))
    return polygon_of(shape)


@settings(max_examples=16, deadline=None)
@given(
    polygon=sectors(),
    radius=st.floats(1.0, 6.0),
    shift=st.floats(-4, 4),
    ring=st.booleans(),
    stretch=st.sampled_from([1.0, 1.0, 4 / 3, 0.9375]),
)
def test_square_is_the_optimum(
    polygon: Polygon, radius: float, shift: float, stretch: float, *, ring: bool
) -> None:
    """The square is as large as the slow search's, inside the box, and holds the Q-box."""
    polygon = polygon * (stretch, 1.0)
    centre = polygon.mean(axis=0)
    circle = Circle(float(centre[0]) + shift, float(centre[1]), radius, stretch) if ring else None
    square = largest_square(polygon, circle, stretch)
    assert (square.side if square else 0) == slow_largest_side(polygon, circle, stretch)
    if square is None:
        return
    for x in range(square.x, square.x + square.width):
        for y in range(square.y, square.y + square.side):
            assert inside(polygon, x, y)
    if circle is not None:
        assert square.x <= circle.x - radius * stretch
        assert circle.x + radius * stretch <= square.x + square.width - 1
        assert square.y <= circle.y - radius <= circle.y + radius <= square.y + square.side - 1


def test_square_is_within_two_pixels_of_the_true_sector() -> None:
    """Against the true arcs, on a fine grid of real numbers, no square is more than 2 px larger."""
    shape = Sector(388.0, -280.0, -0.24, 0.21, 470.0, 640.0)
    square = largest_square(polygon_of(shape), None)
    assert square is not None
    edge = np.linspace(0.0, 1.0, 41)

    def fits(x: float, y: float, side: float) -> bool:
        px = np.concatenate([x + side * edge, x + side * edge, x + 0 * edge, x + side + 0 * edge])
        py = np.concatenate([y + 0 * edge, y + side + 0 * edge, y + side * edge, y + side * edge])
        radius = np.hypot(px - shape.apex_x, py - shape.apex_y)
        angle = np.arctan2(px - shape.apex_x, py - shape.apex_y)
        return bool(
            (radius >= shape.radius_top).all()
            and (radius <= shape.radius_bottom).all()
            and (angle >= shape.angle_left).all()
            and (angle <= shape.angle_right).all()
        )

    left, top = polygon_of(shape).min(axis=0)
    right, bottom = polygon_of(shape).max(axis=0)
    larger = square.side - 1 + 2.0  # n pixel centres span n - 1
    places = (
        (x, y) for x in np.arange(left, right - larger, 0.5) for y in np.arange(top, bottom - larger, 0.5)
    )
    assert not any(fits(float(x), float(y), larger) for x, y in places)


def test_square_of_a_rectangle_is_its_shorter_side() -> None:
    """In an upright rectangle the square is as tall as the rectangle and centred without a Q-box."""
    polygon = np.array([(10.0, 20.0), (60.0, 20.0), (60.0, 40.0), (10.0, 40.0)])
    assert largest_square(polygon, None) == Square(25, 20, 21)


def test_q_box_outside_gives_no_square() -> None:
    """A Q-box that reaches beyond the box has no square around it."""
    polygon = np.array([(10.0, 20.0), (60.0, 20.0), (60.0, 40.0), (10.0, 40.0)])
    assert largest_square(polygon, Circle(58.0, 30.0, 5.0)) is None


@pytest.mark.parametrize("polygon", [np.empty((0, 2)), np.full((4, 2), np.nan), np.array([[1.2, 1.2]] * 3)])
def test_degenerate_boxes_give_no_square(polygon: Polygon) -> None:
    """A box without a pixel inside has no square, and no exception."""
    assert largest_square(polygon, None) is None


def test_stretched_picture_is_cut_square() -> None:
    """In a horizontally stretched picture the square is one of the scanner's screen."""
    polygon = np.array([(40.0, 20.0), (200.0, 20.0), (200.0, 100.0), (40.0, 100.0)])
    square = largest_square(polygon, None, stretch=4 / 3)
    assert square is not None
    assert (square.side, square.width) == (81, 108)
    frame = Frame(np.zeros((200, 300, 3), np.uint8), 0, 0, 0)
    assert crop_pair(frame, Roi(square, square)).elastogram.shape == (81, 81, 3)


def test_crops_are_the_pixels_as_displayed_in_rgb() -> None:
    """Both crops hold the very pixels of their panes, red first."""
    pixels = np.random.default_rng(1).integers(0, 256, (40, 30, 3), dtype=np.uint8)
    crops = crop_pair(Frame(pixels, 0, 0, 0), Roi(Square(3, 2, 10), Square(3, 22, 10)))
    assert np.array_equal(crops.elastogram, pixels[2:12, 3:13, ::-1])
    assert np.array_equal(crops.gray, pixels[22:32, 3:13, ::-1])
    assert crops.gray.flags.c_contiguous
