"use strict";
// Plays films and region panels. Everything it shows lies in the page; nothing is fetched.
(() => {
  const MOST_KEPT = 24; // decoded subsets kept in memory
  const SHEET = "image/png";

  function bytesOf(id) {
    const text = atob(document.getElementById(id).textContent);
    const bytes = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
    return bytes;
  }

  async function inflated(id) {
    if (typeof DecompressionStream === "undefined") {
      throw new Error("it cannot unpack data (DecompressionStream is missing); a newer one can");
    }
    const stream = new Blob([bytesOf(id)]).stream();
    const plain = stream.pipeThrough(new DecompressionStream("deflate"));
    return new Response(plain).arrayBuffer();
  }

  // A lossless image per condition, frames below one another, further columns to the right.
  class Sheets {
    constructor(spec) {
      this.spec = spec;
    }

    async open(part, condition) {
      const [, height, width] = this.spec.shape;
      const rows = this.spec.per_column;
      const image = new Image();
      const id = `${this.spec.source}-${condition}`;
      image.src = `data:${SHEET};base64,${document.getElementById(id).textContent}`;
      await image.decode();
      return (context, frame) => {
        const x = Math.floor(frame / rows) * width;
        const y = (frame % rows) * height;
        context.drawImage(image, x, y, width, height, 0, 0, width, height);
      };
    }
  }

  // Frames as coordinates in a basis: mean + sum of coordinate * step * scale * basis.
  class Components {
    constructor(spec, nFrames, nConditions) {
      Object.assign(this, { spec, nFrames, nConditions, kept: new Map(), basis: null });
    }

    async readBasis() {
      const [channels, height, width] = this.spec.shape;
      const size = channels * height * width;
      const rank = this.spec.rank;
      const buffer = await inflated(`${this.spec.source}-basis`);
      return {
        mean: new Float32Array(buffer, 0, size),
        scale: new Float32Array(buffer, 4 * size, rank),
        basis: new Int16Array(buffer, 4 * (size + rank), rank * size),
      };
    }

    // Int16Array (rank, conditions, frames) from differences along time, low bytes before high.
    async readPart(part) {
      const bytes = new Uint8Array(await inflated(`${this.spec.source}-${part}`));
      const n = bytes.length / 2;
      const coordinates = new Int16Array(n);
      for (let i = 0; i < n; i++) {
        const before = i % this.nFrames ? coordinates[i - 1] : 0;
        coordinates[i] = before + (bytes[i] | (bytes[n + i] << 8));
      }
      return coordinates;
    }

    async open(part, condition) {
      this.basis = this.basis || this.readBasis();
      const { mean, scale, basis } = await this.basis;
      if (!this.kept.has(part)) {
        this.kept.set(part, this.readPart(part));
        if (this.kept.size > MOST_KEPT) this.kept.delete(this.kept.keys().next().value);
      }
      const coordinates = await this.kept.get(part);
      const [channels, height, width] = this.spec.shape;
      const area = height * width;
      const pixels = new Float32Array(channels * area);
      return (context, frame) => {
        pixels.set(mean);
        for (let r = 0; r < this.spec.rank; r++) {
          const at = (r * this.nConditions + condition) * this.nFrames + frame;
          const weight = coordinates[at] * this.spec.step * scale[r];
          if (weight === 0) continue;
          const offset = r * pixels.length;
          for (let p = 0; p < pixels.length; p++) pixels[p] += weight * basis[offset + p];
        }
        const image = context.createImageData(width, height);
        for (let p = 0; p < area; p++) {
          for (let c = 0; c < 3; c++) {
            image.data[4 * p + c] = Math.round(pixels[channels === 3 ? c * area + p : p]);
          }
          image.data[4 * p + 3] = 255;
        }
        context.putImageData(image, 0, 0);
      };
    }
  }

  class Player {
    constructor(root) {
      const find = (name) => root.querySelector(name);
      this.root = root;
      this.config = JSON.parse(document.getElementById(`${root.id}-config`).textContent);
      this.menu = find(".condition");
      this.scrub = find(".scrub");
      this.playButton = find(".play");
      this.clock = find(".clock");
      this.speed = find(".speed");
      this.trouble = find(".trouble");
      this.status = find(".subset");
      this.regions = [...root.querySelectorAll(".region")];
      this.ticket = 0;
      this.playing = false;
      const sources = new Map();
      this.screens = this.config.screens.map((screen, i) => {
        const key = screen.source;
        if (!sources.has(key)) {
          const n = this.menu.options.length;
          const kind = screen.kind === "sheets" ? Sheets : Components;
          sources.set(key, new kind(screen, this.config.n_frames, n));
        }
        const box = root.querySelectorAll(".screen")[i];
        const canvas = box.querySelector("canvas");
        return {
          ...screen,
          reader: sources.get(key),
          canvas,
          context: canvas.getContext("2d"),
          missing: box.querySelector(".missing"),
          draw: null,
        };
      });
      this.layTimeline(find(".segments"));
      this.menu.addEventListener("change", () => this.load());
      this.scrub.addEventListener("input", () => {
        this.pause();
        this.draw();
      });
      this.playButton.addEventListener("click", () => (this.playing ? this.pause() : this.play()));
      for (const button of this.regions) {
        button.addEventListener("click", () => {
          this.press(button, button.getAttribute("aria-pressed") !== "true");
          this.load();
        });
      }
      for (const [name, on] of [[".all", true], [".none", false]]) {
        const button = find(name);
        if (button) {
          button.addEventListener("click", () => {
            this.regions.forEach((r) => this.press(r, on));
            this.load();
          });
        }
      }
      // The middle of the last segment says more than the first frame.
      const last = this.config.segments.at(-1);
      if (last) this.scrub.value = Math.floor((last[1] + last[2] - 1) / 2);
      this.load();
    }

    press(button, on) {
      button.setAttribute("aria-pressed", String(on));
    }

    layTimeline(strip) {
      for (const [name, start, stop] of this.config.segments) {
        const piece = document.createElement("span");
        piece.textContent = name;
        piece.title = name;
        piece.style.left = `${(100 * start) / this.config.n_frames}%`;
        piece.style.width = `${(100 * (stop - start)) / this.config.n_frames}%`;
        strip.append(piece);
      }
    }

    // Row of the masks that the buttons name, or null where it was not computed.
    subset() {
      const key = this.regions.map((b) => (b.getAttribute("aria-pressed") === "true" ? 1 : 0));
      return this.config.subsets[key.join("")] ?? null;
    }

    async load() {
      const ticket = ++this.ticket;
      this.root.setAttribute("aria-busy", "true");
      try {
        const condition = Number(this.menu.value);
        const chosen = this.regions.length ? this.subset() : null;
        const draws = await Promise.all(
          this.screens.map((screen) => {
            const part = screen.chosen ? chosen : screen.part;
            return part === null ? null : screen.reader.open(part, condition);
          }),
        );
        if (ticket !== this.ticket) return; // a later choice is on its way
        this.screens.forEach((screen, i) => (screen.draw = draws[i]));
        if (this.regions.length) this.tell(chosen);
        this.draw();
        this.root.setAttribute("aria-busy", "false");
      } catch (error) {
        if (ticket !== this.ticket) return;
        this.trouble.textContent = `This browser cannot show the film: ${error.message}`;
        this.trouble.hidden = false;
        this.root.setAttribute("aria-busy", "false");
      }
    }

    tell(chosen) {
      const on = this.regions.filter((b) => b.getAttribute("aria-pressed") === "true");
      const names = on.map((b) => b.textContent).join(", ") || "none";
      this.status.textContent =
        `On: ${names}` + (chosen === null ? ". This combination was not computed." : "");
      const everything = this.config.screens[1].part;
      const rows = this.config.scores.map(({ metric, values }) => {
        const row = document.createElement("tr");
        const head = document.createElement("th");
        head.scope = "row";
        head.className = "text";
        head.textContent = metric;
        row.append(head);
        for (const subset of [chosen, everything]) {
          const cell = document.createElement("td");
          cell.textContent = subset === null ? "not computed" : (values[subset] ?? "unknown");
          row.append(cell);
        }
        return row;
      });
      this.root.querySelector(".scores tbody").replaceChildren(...rows);
    }

    draw() {
      const frame = Number(this.scrub.value);
      for (const { draw, canvas, context, missing } of this.screens) {
        missing.hidden = draw !== null;
        if (draw === null) context.clearRect(0, 0, canvas.width, canvas.height);
        else draw(context, frame);
      }
      const segment = this.config.segments.find(([, start, stop]) => start <= frame && frame < stop);
      const time = `${(frame * this.config.frame_s).toFixed(2)} s`;
      this.clock.textContent = segment ? `${time}, ${segment[0]}` : time;
      this.scrub.setAttribute("aria-valuetext", this.clock.textContent);
    }

    play() {
      this.playing = true;
      this.playButton.textContent = "Pause";
      let shownAt = performance.now();
      const next = (now) => {
        if (!this.playing) return;
        const wait = (1000 * this.config.frame_s) / Number(this.speed.value);
        const steps = Math.floor((now - shownAt) / wait);
        if (steps > 0) {
          shownAt += steps * wait;
          this.scrub.value = (Number(this.scrub.value) + steps) % this.config.n_frames;
          this.draw();
        }
        requestAnimationFrame(next);
      };
      requestAnimationFrame(next);
    }

    pause() {
      this.playing = false;
      this.playButton.textContent = "Play";
    }
  }

  for (const root of document.querySelectorAll(".player")) new Player(root);

  // Tables of runs: a click on a heading sorts, a second one the other way; blanks stay last.
  for (const table of document.querySelectorAll("table.runs")) {
    const heads = [...table.querySelectorAll("thead th")];
    const body = table.querySelector("tbody");
    heads.forEach((head, at) => {
      const button = head.querySelector(".sort");
      if (!button) return;
      button.addEventListener("click", () => {
        const numeric = !head.classList.contains("text");
        const first = numeric ? "descending" : "ascending";
        const other = numeric ? "ascending" : "descending";
        const order = head.getAttribute("aria-sort") === first ? other : first;
        heads.forEach((h) => h.hasAttribute("aria-sort") && h.setAttribute("aria-sort", "none"));
        head.setAttribute("aria-sort", order);
        const sign = order === "ascending" ? 1 : -1;
        const of = (row) => row.children[at].dataset.value;
        const rows = [...body.rows].sort((one, two) => {
          const [a, b] = [of(one), of(two)];
          if (a === "" || b === "") return (a === "") - (b === "");
          return sign * (numeric ? Number(a) - Number(b) : a.localeCompare(b));
        });
        body.replaceChildren(...rows);
      });
    });
  }

  // The table of contents marks the section that is read.
  const links = new Map(
    [...document.querySelectorAll("nav a")].map((a) => [a.getAttribute("href").slice(1), a]),
  );
  const watcher = new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries) {
        const link = links.get(target.id);
        if (!link) continue;
        if (isIntersecting) link.setAttribute("aria-current", "true");
        else link.removeAttribute("aria-current");
      }
    },
    { rootMargin: "-15% 0px -75% 0px" },
  );
  document.querySelectorAll("main section").forEach((section) => watcher.observe(section));
})();
