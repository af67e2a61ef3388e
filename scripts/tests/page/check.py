"""Opens a report in headless Chromium as a reader would, and looks at it.

    python check.py PAGE SCREENSHOTS CHROMIUM

At 1280 and 390 pixels, in light and in dark: nothing is fetched, nothing is complained of, every figure shows something within its
bounds in letters that can be read, and nothing but a table in its own frame is wider than the page. Says what is wrong and exits with 1.
"""

import pathlib
import sys

from playwright.sync_api import sync_playwright

WIDTHS = (1280, 390)
SCHEMES = ("light", "dark")

# Everything that is wrong with the page as it stands, as a list of sentences.
LOOK = """() => {
  const wrong = [];
  const say = (what) => wrong.push(what);
  const page = document.documentElement;
  if (page.scrollWidth > page.clientWidth) say(`the page is ${page.scrollWidth} pixels wide in a window of ${page.clientWidth}`);
  for (const id of ['runs', 'settings', 'left-out', 'rules'])
    if (!document.getElementById(id)) say(`there is no section ${id}`);
  const plots = [...document.querySelectorAll('svg')];
  if (plots.length < 2) say(`there are ${plots.length} figures`);
  for (const plot of plots) {
    const name = (plot.getAttribute('aria-label') || '').split('.')[0];
    if (!name) say('a figure has no name for those who cannot see it');
    const box = plot.getBoundingClientRect();
    const [, , width, height] = plot.getAttribute('viewBox').split(' ').map(Number);
    if (box.width < 280 || box.height < 60) say(`${name} is ${box.width} x ${box.height} pixels`);
    if (box.left < 0 || box.right > innerWidth) say(`${name} reaches beyond the window`);
    const marks = [...plot.querySelectorAll('path, circle, line')].filter((mark) => {
      const { width, height } = mark.getBBox();
      const style = getComputedStyle(mark);
      const is_painted = style.stroke !== 'none' || style.fill !== 'none';
      return width + height > 0 && is_painted && mark.getAttribute('class') !== 'grid';
    });
    if (marks.length < 3) say(`${name} shows ${marks.length} marks`);
    if (!plot.querySelector('.mean, .seed, circle, [class^=f]')) say(`${name} has no data`);
    for (const text of plot.querySelectorAll('text')) {
      const { x, y, width: w, height: h } = text.getBBox();
      if (w > 0 && (x < -0.5 || y < -0.5 || x + w > width + 0.5 || y + h > height + 0.5))
        say(`${name}: "${text.textContent}" reaches beyond the figure`);
      const size = parseFloat(getComputedStyle(text).fontSize) * box.width / width;
      if (size < 10.5) say(`${name}: letters of ${size.toFixed(1)} pixels`);
    }
  }
  for (const table of document.querySelectorAll('table'))
    if (!table.closest('.scroll')) say('a table is not in a frame of its own');
  for (const text of document.querySelectorAll('p, li, dd, td, th, figcaption')) {
    const size = parseFloat(getComputedStyle(text).fontSize);
    if (size < 12) say(`letters of ${size} pixels: ${text.textContent.slice(0, 40)}`);
  }
  const ids = new Set([...document.querySelectorAll('[id]')].map((element) => element.id));
  for (const link of document.querySelectorAll('a[href^="#"]'))
    if (!ids.has(link.getAttribute('href').slice(1))) say(`${link.textContent} leads nowhere`);
  return [...new Set(wrong)];
}"""


def look(browser, page_file, screenshots, width, scheme):
    """What is wrong at a width and in a colour scheme."""
    wrong = []
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    address = page_file.resolve().as_uri()

    def note_request(request):
        if request.url != address and not request.url.startswith("data:"):
            wrong.append(f"it fetches {request.url}")

    page.on("request", note_request)
    page.on("console", lambda message: wrong.append(f"console: {message.text}"))
    page.on("pageerror", lambda error: wrong.append(f"script: {error}"))
    page.goto(address)
    page.wait_for_load_state("networkidle")
    wrong += page.evaluate(LOOK)
    page.screenshot(path=screenshots / f"{page_file.stem}-{width}-{scheme}.png", full_page=True)
    context.close()
    return [f"{width} pixels, {scheme}: {what}" for what in wrong]


def main():
    page_file, screenshots, chromium = map(pathlib.Path, sys.argv[1:])
    screenshots.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        # Without a sandbox, because continuous integration is root in a container of its own and opens our own page only.
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        wrong = [what for width in WIDTHS for scheme in SCHEMES for what in look(browser, page_file, screenshots, width, scheme)]
        browser.close()
    print("\n".join(wrong))
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
