"""Logos come from outside: what could fetch, run or never end does not get in."""

import io

import pytest
from PIL import Image, PngImagePlugin

from gateway import ubl
from gateway.errors import BadInput
from gateway.looks import MAX_LOGO, MAX_PIXELS, Looks, logo_of
from gateway.pdf import render
from tests.pdf.reading import opened, picture
from tests.ubl_documents import HEADING, LINK, STANDARD

SVG = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:x="http://www.w3.org/1999/xlink" viewBox="0 0 60 20">{}</svg>'


def svg(inside: str) -> bytes:
    return SVG.format(inside).encode()


def png(size=(60, 20), mode="RGBA", colour=(200, 0, 0, 255), **more) -> bytes:
    file = io.BytesIO()
    Image.new(mode, size, colour).save(file, "PNG", **more)
    return file.getvalue()


@pytest.mark.parametrize(
    "logo", [png(), png(mode="L", colour=120), png(mode="P", colour=3), svg("<rect width='60' height='20'/>")]
)
def test_a_logo_is_drawn_at_the_head(logo):
    xml = ubl.render(STANDARD, HEADING, LINK)
    plain, with_logo = render(xml), render(xml, Looks(logo=logo_of(logo)))
    corner = picture(with_logo, dpi=72).crop((450, 40, 550, 75))
    assert sum(shade < 200 for shade in corner.tobytes()) > 1500
    assert plain != with_logo
    with opened(with_logo) as document:
        assert document.check_pdf_syntax() == []


def test_a_gradient_and_a_style_sheet_are_allowed():
    inside = (
        "<style>.a{fill:url(#g)}</style><defs><linearGradient id='g'><stop offset='0' stop-color='red'/>"
        "</linearGradient></defs><path class='a' d='M0 0h60v20z' fill='url( \"#g\" )'/>"
    )
    assert "linearGradient" in logo_of(svg(inside))


@pytest.mark.parametrize(
    "inside",
    [
        "<image href='http://example.com/a.png'/>",
        "<image x:href='file:///etc/passwd'/>",
        "<script>alert(1)</script>",
        "<foreignObject/>",
        "<text>a</text>",
        "<use x:href='#a'/>",
        "<filter id='f'/>",
        "<mask id='m'/>",
        "<style>@import url(http://example.com)</style>",
        "<style>.a{fill:url(http://example.com/#g)}</style>",
        "<rect fill='URL( http://example.com )'/>",
        "<rect style='fill:url(other.svg#g)'/>",
        "<clipPath id='a'><rect clip-path='url(#b)'/></clipPath>",
        "<style>rect{clip-path:url(#a)}</style>",
        "<rect/>" * 5001,
    ],
)
def test_a_drawing_stands_for_itself(inside):
    with pytest.raises(BadInput) as error:
        logo_of(svg(inside))
    assert error.value.fix


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"GIF89a",
        b"\x89PNG\r\n\x1a\n",
        png()[:60],
        b"<html/>",
        b'<!DOCTYPE svg [<!ENTITY a "b">]><svg xmlns="http://www.w3.org/2000/svg"/>',
        bytes(MAX_LOGO + 1),
        png((MAX_PIXELS + 1, 1)),
    ],
)
def test_what_is_no_logo(data):
    with pytest.raises(BadInput):
        logo_of(data)


def test_a_large_picture_is_kept_as_large_as_it_is_printed():
    assert 'width="1200" height="600"' in logo_of(png((2000, 1000)))
    noise = io.BytesIO()
    Image.effect_noise((700, 500), 80).quantize(8).save(noise, "PNG", optimize=True)
    assert len(noise.getvalue()) < MAX_LOGO
    with pytest.raises(BadInput, match="too rich in detail"):
        logo_of(noise.getvalue())


def test_of_a_picture_only_the_picture_is_kept():
    notes = PngImagePlugin.PngInfo()
    notes.add_text("Comment", "secret")
    assert logo_of(png(pnginfo=notes)) == logo_of(png())


@pytest.mark.parametrize("wrong", ["red", "#fff", "#GGGGGG", "#AABBCC", '#000000"', ""])
def test_a_colour_is_six_digits(wrong):
    for part in ("colour", "accent"):
        with pytest.raises(BadInput):
            Looks(**{part: wrong})


def test_a_footer_is_short():
    Looks(footer="a\nb\nc")
    for wrong in ("a\nb\nc\nd", "a" * 301):
        with pytest.raises(BadInput):
            Looks(footer=wrong)


@pytest.mark.parametrize(
    ("colour", "is_dark"), [("#000000", True), ("#12486b", True), ("#ffff00", False), ("#ffffff", False)]
)
def test_what_is_written_on_a_colour_can_be_read(colour, is_dark):
    assert Looks(colour=colour).is_dark is is_dark
