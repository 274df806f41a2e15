"use strict";
/* A node: [name, kind, bytes, wasted bytes, why it is wasted, children, largest first]. */
(function () {
	var NAME = 0, KIND = 1, BYTES = 2, WASTED = 3, WHY = 4, CHILDREN = 5;
	var LABEL = 18, SMALL = 3, ROWS = 200, CELLS = 3000;
	var root = JSON.parse(document.getElementById("data").textContent);
	var map = document.getElementById("map"), path = [], cells = 0;

	function size(bytes) {
		var units = ["B", "kB", "MB", "GB", "TB"], i = 0;
		while (bytes >= 1000 && i < units.length - 1) {
			bytes /= 1000;
			i++;
		}
		return Number(bytes.toPrecision(bytes < 1000 ? 3 : 4)) + units[i];
	}

	function share(bytes) {
		return root[BYTES] ? (100 * bytes / root[BYTES]).toFixed(1) + "%" : "0%";
	}

	function element(name, text) {
		var e = document.createElement(name);
		if (text !== undefined) e.textContent = text;
		return e;
	}

	function follow(where) {
		var node = root;
		for (var i = 0; i < where.length; i++) {
			node = node[CHILDREN][where[i]];
			if (!node) return null;
		}
		return node;
	}

	/* The address holds the place, so the browser's "back" zooms out. */
	function go(where) {
		location.hash = "#/" + where.join("/");
	}

	function read() {
		var where = location.hash.replace(/^#\/?/, "").split("/").filter(Boolean).map(Number);
		path = follow(where) ? where : [];
		draw();
	}

	/* Bruls, Huizing, van Wijk: Squarified treemaps. Calls place(index, x, y, w, h). */
	function squarify(nodes, x, y, w, h, place) {
		var total = 0, i = 0;
		nodes.forEach(function (n) { total += n[BYTES]; });
		var scale = total ? w * h / total : 0;
		while (i < nodes.length && w > 0 && h > 0 && nodes[i][BYTES]) {
			var side = Math.min(w, h), first = i, sum = 0, worst = Infinity;
			while (i < nodes.length && nodes[i][BYTES]) {
				var area = nodes[i][BYTES] * scale, next = sum + area;
				var most = nodes[first][BYTES] * scale;
				var ratio = Math.max(side * side * most / (next * next),
					next * next / (side * side * area));
				if (ratio > worst) break;
				worst = ratio;
				sum = next;
				i++;
			}
			var thick = sum / side, at = 0;
			for (var k = first; k < i; k++) {
				var length = nodes[k][BYTES] * scale / thick;
				if (w >= h) place(k, x, y + at, thick, length);
				else place(k, x + at, y, length, thick);
				at += length;
			}
			if (w >= h) { x += thick; w -= thick; } else { y += thick; h -= thick; }
		}
	}

	function describe(node) {
		var text = node[NAME] + " \u2014 " + size(node[BYTES]) + ", " + share(node[BYTES]);
		if (node[WHY]) return text + ", " + node[WHY];
		return node[WASTED] ? text + ", " + size(node[WASTED]) + " wasted" : text;
	}

	function color(node, top, depth) {
		var bad = node[BYTES] ? node[WASTED] / node[BYTES] : 0;
		var light = Math.min(62 + 6 * depth, 90);
		return bad > 0.5 ? "hsl(4 78% " + light + "%)" : "hsl(" + ((150 + 47 * top) % 200 + 40) +
			" " + (50 - 20 * bad) + "% " + light + "%)";
	}

	function cell(node, where, x, y, w, h, top, depth) {
		var e = element("div", h > LABEL && w > 24 ? node[NAME] + " " + size(node[BYTES]) : "");
		e.className = "cell";
		e.title = describe(node);
		e.tabIndex = 0;
		e.setAttribute("role", "button");
		e.setAttribute("aria-label", describe(node));
		e.style.left = x + "px";
		e.style.top = y + "px";
		e.style.width = w + "px";
		e.style.height = h + "px";
		e.style.background = color(node, top, depth);
		e.addEventListener("click", function () {
			go(node[CHILDREN] ? where : where.slice(0, -1));
		});
		e.addEventListener("keydown", function (event) {
			if (event.key === "Enter") go(node[CHILDREN] ? where : where.slice(0, -1));
		});
		map.appendChild(e);
		cells++;
	}

	function fill(node, where, x, y, w, h, top, depth) {
		squarify(node[CHILDREN] || [], x, y, w, h, function (k, cx, cy, cw, ch) {
			var child = node[CHILDREN][k], hue = depth ? top : k;
			if (cw < SMALL || ch < SMALL || cells >= CELLS) return;
			cell(child, where.concat(k), cx, cy, cw, ch, hue, depth);
			if (child[CHILDREN] && cw > 40 && ch > 2 * LABEL)
				fill(child, where.concat(k), cx + 3, cy + LABEL, cw - 6, ch - LABEL - 3,
					hue, depth + 1);
		});
	}

	function crumbs() {
		var nav = document.getElementById("path");
		nav.textContent = "";
		for (var i = 0; i <= path.length; i++) {
			var where = path.slice(0, i), a = element("a", follow(where)[NAME]);
			a.href = "#/" + where.join("/");
			if (i) nav.appendChild(document.createTextNode(" \u203a "));
			nav.appendChild(a);
		}
	}

	function list(node) {
		var body = document.getElementById("rows");
		body.textContent = "";
		(node[CHILDREN] || []).slice(0, ROWS).forEach(function (child, k) {
			var row = element("tr"), name = element("td");
			var wasted = child[WHY] || (child[WASTED] ? size(child[WASTED]) : "");
			[size(child[BYTES]), share(child[BYTES])].forEach(function (text) {
				row.appendChild(element("td", text)).className = "number";
			});
			if (child[CHILDREN]) {
				var a = element("a", child[NAME]);
				a.href = "#/" + path.concat(k).join("/");
				name.appendChild(a);
			} else {
				name.textContent = child[NAME];
			}
			row.appendChild(name);
			row.appendChild(element("td", child[KIND]));
			row.appendChild(element("td", wasted));
			body.appendChild(row);
		});
	}

	function draw() {
		var node = follow(path);
		map.textContent = "";
		cells = 0;
		crumbs();
		fill(node, path, 0, 0, map.clientWidth, map.clientHeight, 0, 0);
		list(node);
	}

	addEventListener("hashchange", read);
	addEventListener("resize", draw);
	addEventListener("keydown", function (event) {
		if (event.key === "Escape" && path.length) go(path.slice(0, -1));
	});
	read();
})();
