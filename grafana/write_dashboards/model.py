"""What a dashboard of Grafana is made of, as far as ours use it."""

SOURCE = {"type": "prometheus", "uid": "${datasource}"}

# From fine to bad, for where more is worse.
GREEN, YELLOW, RED = "green", "orange", "red"


def expand(expr):
    """Writes out what nearly every expression has: the job, and the interval that fits the graph's width."""
    return expr.replace("{J", '{job=~"$job"').replace("[R]", "[$__rate_interval]")


def steps(*pairs):
    """Thresholds: the first colour counts from the beginning, each other one from its value."""
    return {"mode": "absolute", "steps": [{"color": color, "value": value} for color, value in pairs]}


def above(warn, bad=None):
    """Green below `warn`, red from `bad`."""
    pairs = [(GREEN, None), (YELLOW, warn)] + ([(RED, bad)] if bad is not None else [])
    return steps(*pairs)


def below(bad, warn=None):
    """Red below `bad`."""
    return steps((RED, None), *([(YELLOW, bad), (GREEN, warn)] if warn is not None else [(GREEN, bad)]))


def any_is_bad():
    """Red from 1."""
    return steps((GREEN, None), (RED, 1))


CALM = steps((GREEN, None))


def target(expr, legend, ref, instant=False, form="time_series"):
    kind = {"instant": True, "range": False} if instant else {"instant": False, "range": True}
    return {"refId": ref, "datasource": SOURCE, "expr": expand(expr), "legendFormat": legend, "format": form,
            "editorMode": "code", **kind}


def some(by, expr):
    """A line for each that is not 0, where most are; one at 0 where all are, so that "nothing" is told from "no data"."""
    return f'sum by ({by}) ({expr}) > 0 or label_replace(sum({expr}) == 0, "{by.split(", ")[-1]}", "none", "", "")'


def targets(queries, **options):
    """Of one expression, or of pairs of an expression and its legend."""
    pairs = [(queries, "__auto")] if isinstance(queries, str) else queries
    return [target(expr, legend, "ABCDEFGHIJ"[at], **options) for at, (expr, legend) in enumerate(pairs)]


def panel(kind, title, description, width, height, unit, thresholds, queries, options, custom=None, overrides=()):
    defaults = {"unit": unit, "thresholds": thresholds, "color": {"mode": "palette-classic"}}
    if custom is not None:
        defaults["custom"] = custom
    return {"type": kind, "title": title, "description": description, "datasource": SOURCE,
            "gridPos": {"w": width, "h": height}, "fieldConfig": {"defaults": defaults, "overrides": list(overrides)},
            "options": options, "targets": queries}


def stat(title, description, unit, expr, thresholds, width=3, decimals=None):
    options = {"reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}, "colorMode": "background",
               "graphMode": "none", "textMode": "value", "justifyMode": "center", "orientation": "auto"}
    made = panel("stat", title, description, width, 4, unit, thresholds, targets(expr, instant=True), options)
    made["fieldConfig"]["defaults"]["color"] = {"mode": "thresholds"}
    if decimals is not None:
        made["fieldConfig"]["defaults"]["decimals"] = decimals
    return made


def graph(title, description, unit, queries, thresholds=CALM, width=12, height=8, stacked=False, top=None, colors=()):
    """Lines over time. Where thresholds are more than calm, they are drawn. Colors are pairs of a name and its color."""
    marked = len(thresholds["steps"]) > 1
    custom = {"drawStyle": "line", "lineWidth": 1, "fillOpacity": 30 if stacked else 8, "showPoints": "never",
              "spanNulls": False, "stacking": {"mode": "normal" if stacked else "none", "group": "A"},
              "thresholdsStyle": {"mode": "dashed" if marked else "off"}}
    options = {"legend": {"displayMode": "table", "placement": "bottom", "calcs": ["lastNotNull", "max"], "showLegend": True},
               "tooltip": {"mode": "multi", "sort": "desc"}}
    made = panel("timeseries", title, description, width, height, unit, thresholds, targets(queries), options, custom,
                 [{"matcher": {"id": "byName", "options": name},
                   "properties": [{"id": "color", "value": {"mode": "fixed", "fixedColor": color}}]} for name, color in colors])
    made["fieldConfig"]["defaults"]["min"] = 0
    if top is not None:
        made["fieldConfig"]["defaults"]["max"] = top
    return made


def heatmap(title, description, expr, width=12, height=8):
    options = {"calculate": False, "cellGap": 1, "color": {"mode": "scheme", "scheme": "Oranges", "steps": 64},
               "yAxis": {"axisPlacement": "left", "unit": "s"}, "cellValues": {"unit": "short"},
               "tooltip": {"mode": "single", "showColorScale": True, "yHistogram": False}, "legend": {"show": True}}
    return panel("heatmap", title, description, width, height, "s", CALM,
                 targets([(expr, "{{le}}")], form="heatmap"), options, {})


def timeline(title, description, queries, states, width=12, height=8):
    """One line of coloured states for each series."""
    options = {"showValue": "never", "rowHeight": 0.8, "mergeValues": True,
               "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True}, "tooltip": {"mode": "single"}}
    made = panel("state-timeline", title, description, width, height, "none", below(1), targets(queries), options,
                 {"fillOpacity": 80, "lineWidth": 0})
    made["fieldConfig"]["defaults"]["color"] = {"mode": "thresholds"}
    words = {str(value): {"text": text, "index": value} for value, text in enumerate(states)}
    made["fieldConfig"]["defaults"]["mappings"] = [{"type": "value", "options": words}]
    return made


def table(title, description, key, columns, width=24, height=9, hidden=(), link=None):
    """A row for each value of the label `key`. A column is a title, an expression, a unit and thresholds."""
    queries = targets([(expr, "") for _, expr, _, _ in columns], instant=True, form="table")
    names = {f"Value #{query['refId']}": column[0] for query, column in zip(queries, columns)}
    overrides = []
    for name, _, unit, thresholds in columns:
        properties = [{"id": "unit", "value": unit}, {"id": "decimals", "value": 0 if unit == "short" else 2}]
        if thresholds is not CALM:
            properties += [{"id": "thresholds", "value": thresholds},
                           {"id": "custom.cellOptions", "value": {"type": "color-text"}},
                           {"id": "color", "value": {"mode": "thresholds"}}]
        overrides.append({"matcher": {"id": "byName", "options": name}, "properties": properties})
    if link is not None:
        url = f"/d/{link}?var-{key}=${{__value.raw}}&${{datasource:queryparam}}&${{job:queryparam}}&${{__url_time_range}}"
        links = {"id": "links", "value": [{"title": "Look closer at ${__value.raw}", "url": url}]}
        overrides.append({"matcher": {"id": "byName", "options": key}, "properties": [links]})
    made = panel("table", title, description, width, height, "short", CALM, queries,
                 {"showHeader": True, "cellHeight": "sm", "footer": {"show": False, "reducer": ["sum"], "fields": ""}},
                 {"align": "auto", "filterable": True}, overrides)
    gone = {name: True for name in ("Time", *hidden)}
    if len(columns) == 1 and columns[0][2] == "none":
        # Only the labels are of interest.
        gone["Value"] = gone["Value #A"] = True
    made["transformations"] = [{"id": "merge", "options": {}},
                               {"id": "organize", "options": {"excludeByName": gone, "renameByName": names, "indexByName": {}}}]
    return made


def row(title):
    return {"type": "row", "title": title, "collapsed": False, "gridPos": {"w": 24, "h": 1}, "panels": []}


def variable(name, label, query):
    """What can be chosen, several at once; all of it at first."""
    query = expand(query)
    return {"name": name, "label": label, "type": "query", "datasource": SOURCE, "definition": query,
            "query": {"query": query, "refId": f"{name}-variable"}, "refresh": 2, "sort": 1, "regex": "",
            "multi": True, "includeAll": True, "allValue": ".*", "current": {"text": ["All"], "value": ["$__all"]},
            "options": [], "hide": 0}


JOB = variable("job", "Job", "label_values(celeriac_worker_info, job)")


def place(panels):
    """Fills lines of 24 columns from the left."""
    x = y = line = 0
    for number, made in enumerate(panels, 1):
        made["id"] = number
        spot = made["gridPos"]
        if x + spot["w"] > 24:
            x, y, line = 0, y + line, 0
        made["gridPos"] = {"x": x, "y": y, **spot}
        x, line = x + spot["w"], max(line, spot["h"])
    return panels


def dashboard(name, title, description, variables, panels):
    source = {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus", "refresh": 1,
              "regex": "", "current": {}, "hide": 0, "includeAll": False, "multi": False, "options": []}
    link = {"type": "dashboards", "tags": ["celeriac"], "title": "Celeriac", "asDropdown": False, "includeVars": True,
            "keepTime": True, "targetBlank": False, "icon": "external link", "tooltip": "", "url": ""}
    return {"uid": f"celeriac-{name}", "title": f"Celeriac / {title}", "description": description, "tags": ["celeriac"],
            "schemaVersion": 39, "version": 1, "editable": True, "graphTooltip": 1, "fiscalYearStartMonth": 0,
            "timezone": "browser", "time": {"from": "now-1h", "to": "now"}, "refresh": "30s", "timepicker": {},
            "annotations": {"list": []}, "links": [link], "templating": {"list": [source, JOB, *variables]},
            "panels": place(panels)}
