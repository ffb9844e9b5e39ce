"""What a browser makes of a page: headless Chromium loads it at a given width and says what is wrong with it."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

_FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--hide-scrollbars", "--mute-audio"),
    *("--enable-logging=stderr", "--v=0", "--virtual-time-budget=3000"),
)

# Runs inside the page: listeners first, measurements once everything is loaded and every fold is open.
_PROBE = """<script>
  const heard = [];
  addEventListener("error", e => heard.push(e.message || "not loaded: " + (e.target.src || e.target.href).slice(0, 80)), true);
  addEventListener("unhandledrejection", e => heard.push(String(e.reason)));
  addEventListener("load", () => {
    document.querySelectorAll("details").forEach(d => { d.open = true; });
    const root = document.documentElement;
    const formulas = [...document.querySelectorAll("math")];
    parent.postMessage(JSON.stringify({
      heard,
      width: innerWidth,
      overflow: root.scrollWidth - root.clientWidth,
      images: document.images.length,
      broken: [...document.images].filter(i => !i.complete || !i.naturalWidth).map(i => i.alt || i.src.slice(0, 80)),
      formulas: formulas.filter(m => m.namespaceURI.endsWith("MathML") && m.getBoundingClientRect().height > 5).length,
      flat: formulas.filter(m => m.getBoundingClientRect().height <= 5).length,
    }), "*");
  });
</script>"""

# A frame, because a window of Chromium is never narrower than 500 pixels.
_FRAME = """<!doctype html><title>frame</title><body>
<script>addEventListener("message", e => {{
  const out = document.createElement("pre"); out.id = "probe"; out.textContent = e.data; document.body.append(out);
}});</script>
<iframe src="{page}" width="{width}" height="800" style="border:0"></iframe>"""


@dataclass(frozen=True)
class Seen:
    """A page as the browser saw it."""

    width: int  # CSS pixels of the viewport
    overflow: int  # CSS pixels by which the page is wider than the viewport
    images: int
    broken: list[str]  # images that did not load
    formulas: int  # MathML elements with an extent
    flat: int  # MathML elements without one
    console: list[str]  # errors and everything that was written to the console

    def problems(self) -> list[str]:
        """What a reader would call broken."""
        found = [*(f"broken image: {name}" for name in self.broken), *(f"console: {line}" for line in self.console)]
        if self.overflow > 0:
            found.append(f"{self.overflow} px wider than the screen at {self.width} px")
        if not self.formulas or self.flat:
            found.append(f"{self.formulas} formulas are shown and {self.flat} have no height")
        return found


def look_at(
    page: Path,
    folder: Path,  # for the probed copy and the browser's profile
    width: int = 360,  # CSS pixels
) -> Seen:
    """Load the page, with every fold open, in a frame of this width."""
    probed, frame = folder / f"probed-{width}.html", folder / f"frame-{width}.html"
    source = page.read_text(encoding="utf-8")
    probed.write_text(source.replace("<head>", f"<head>{_PROBE}", 1), encoding="utf-8")
    frame.write_text(_FRAME.format(page=probed.name, width=width), encoding="utf-8")
    arguments = [f"--user-data-dir={folder / f'profile-{width}'}", "--window-size=1400,900", "--dump-dom", str(frame)]
    done = subprocess.run([str(CHROMIUM), *_FLAGS, *arguments], capture_output=True, text=True, timeout=120)
    answer = re.search(r'<pre id="probe">(.*?)</pre>', done.stdout, re.DOTALL)
    assert answer, f"the browser did not answer: {done.stderr[-2000:]}"
    seen: dict[str, Any] = json.loads(html.unescape(answer[1]))
    lines = [line for line in done.stderr.splitlines() if ":CONSOLE" in line]
    return Seen(console=[*seen.pop("heard"), *lines], **seen)
