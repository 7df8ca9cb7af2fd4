/* The text format of Prometheus, 0.0.4: prometheus.io/docs/instrumenting/exposition_formats. */
#include "base/metrics.h"

#include "base/str.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* HELP: a backslash and a line feed are escaped; in a label's value quotes as well. */
static void put_text(struct mt_buf *out, const char *text, size_t len, bool quoted)
{
    for (size_t at = 0; at < len;) {
        size_t plain = 0;
        while (at + plain < len && text[at + plain] >= ' ' && text[at + plain] <= '~' &&
               text[at + plain] != '\\' && text[at + plain] != '"')
            plain++;
        if (plain) { /* nearly always all of it, at once */
            mt_buf_append(out, text + at, plain);
            at += plain;
            continue;
        }
        size_t step = mt_str_utf8_step(text + at, len - at);
        if (!step)
            mt_buf_append_str(out, "\xEF\xBF\xBD");
        else if (text[at] == '\n')
            mt_buf_append_str(out, "\\n");
        else if (text[at] == '\\')
            mt_buf_append_str(out, "\\\\");
        else if (text[at] == '"' && quoted)
            mt_buf_append_str(out, "\\\"");
        else
            mt_buf_append(out, text + at, step);
        at += step ? step : 1;
    }
}

void mt_metrics_begin(struct mt_buf *out, const struct mt_metric *metric)
{
    mt_buf_appendf(out, "# HELP %s ", metric->name);
    put_text(out, metric->help, strlen(metric->help), false);
    mt_buf_appendf(out, "\n# TYPE %s %s\n", metric->name, metric->type);
}

static void put_label(struct mt_buf *out, const struct mt_metric_label *label)
{
    const char *value = label->value ? label->value : "";
    size_t len = strlen(value);

    if (len > MT_METRICS_LABEL_MAX) {
        len = MT_METRICS_LABEL_MAX;
        while (len && ((unsigned char)value[len] & 0xC0) == 0x80)
            len--;
    }
    mt_buf_append_str(out, label->name);
    mt_buf_append(out, "=\"", 2);
    put_text(out, value, len, true);
    mt_buf_append_char(out, '"');
}

static void put_name(struct mt_buf *out, const struct mt_metric *metric, const char *more,
                     const struct mt_metric_label *labels)
{
    mt_buf_append_str(out, metric->name);
    mt_buf_append_str(out, more);
    for (size_t i = 0; labels && labels[i].name; i++) {
        mt_buf_append_char(out, i ? ',' : '{');
        put_label(out, &labels[i]);
    }
    mt_buf_append_str(out, labels && labels[0].name ? "} " : " ");
}

static void put_number(struct mt_buf *out, double value)
{
    if (isnan(value))
        mt_buf_append_str(out, "NaN");
    else if (isinf(value))
        mt_buf_append_str(out, value > 0 ? "+Inf" : "-Inf");
    else
        mt_buf_appendf(out, "%.15g", value);
}

void mt_metrics_u64(struct mt_buf *out, const struct mt_metric *metric,
                    const struct mt_metric_label *labels, uint64_t value)
{
    put_name(out, metric, "", labels);
    mt_buf_append_u64(out, value);
    mt_buf_append_char(out, '\n');
}

void mt_metrics_f64(struct mt_buf *out, const struct mt_metric *metric,
                    const struct mt_metric_label *labels, double value)
{
    put_name(out, metric, "", labels);
    put_number(out, value);
    mt_buf_append_char(out, '\n');
}

void mt_histogram_init(struct mt_histogram *histogram, const double *bounds, size_t n)
{
    memset(histogram, 0, sizeof *histogram);
    histogram->bounds = bounds;
    histogram->n = n < MT_HISTOGRAM_MAX ? n : MT_HISTOGRAM_MAX;
}

void mt_histogram_note(struct mt_histogram *histogram, double value)
{
    size_t i = 0;

    while (i < histogram->n && value > histogram->bounds[i])
        i++;
    histogram->counts[i]++;
    histogram->sum += value;
}

void mt_metrics_histogram(struct mt_buf *out, const struct mt_metric *metric,
                          const struct mt_histogram *histogram)
{
    uint64_t so_far = 0;

    for (size_t i = 0; i <= histogram->n; i++) {
        char le[32] = "+Inf";
        const struct mt_metric_label labels[] = {{"le", le}, {NULL, NULL}};
        so_far += histogram->counts[i];
        if (i < histogram->n)
            snprintf(le, sizeof le, "%.15g", histogram->bounds[i]);
        put_name(out, metric, "_bucket", labels);
        mt_buf_append_u64(out, so_far);
        mt_buf_append_char(out, '\n');
    }
    put_name(out, metric, "_sum", NULL);
    put_number(out, histogram->sum);
    mt_buf_append_char(out, '\n');
    put_name(out, metric, "_count", NULL);
    mt_buf_append_u64(out, so_far);
    mt_buf_append_char(out, '\n');
}
