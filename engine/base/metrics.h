/* Figures for Prometheus: its text format 0.0.4, and the histograms that are counted for it.
 * Nothing is kept here: who owns a figure counts it in a plain integer of his own, and whoever is
 * asked writes all of them down at that moment. */
#ifndef MT_BASE_METRICS_H
#define MT_BASE_METRICS_H

#include "base/buf.h"
#include "base/rc.h"

#include <stddef.h>
#include <stdint.h>

/* What is told of: a name by Prometheus' conventions (base units, _total for counters). */
struct mt_metric {
    const char *name;
    const char *type; /* counter, gauge, histogram */
    const char *help;
};

/* One label. The value may be anything: it is escaped, cut at MT_METRICS_LABEL_MAX bytes, what is
 * not UTF-8 becomes U+FFFD. It is a name of the configuration or a word of the engine: never what
 * somebody wrote, and never a secret. */
struct mt_metric_label {
    const char *name;
    const char *value;
};
#define MT_METRICS_LABEL_MAX 256

/* HELP and TYPE of a metric; its samples follow. Each metric once. */
void mt_metrics_begin(struct mt_buf *out, const struct mt_metric *metric);
/* A sample of the metric; labels end with a NULL name, and may be NULL. */
void mt_metrics_u64(struct mt_buf *out, const struct mt_metric *metric,
                    const struct mt_metric_label *labels, uint64_t value);
void mt_metrics_f64(struct mt_buf *out, const struct mt_metric *metric,
                    const struct mt_metric_label *labels, double value);

/* Counts how often a value was at most so large. */
#define MT_HISTOGRAM_MAX 12
struct mt_histogram {
    const double *bounds; /* ascending; lives as long as this */
    size_t n;
    uint64_t counts[MT_HISTOGRAM_MAX + 1]; /* the last: larger than all bounds */
    double sum;
};
void mt_histogram_init(struct mt_histogram *histogram, const double *bounds, size_t n);
void mt_histogram_note(struct mt_histogram *histogram, double value);
/* Its samples: _bucket, _sum and _count. */
void mt_metrics_histogram(struct mt_buf *out, const struct mt_metric *metric,
                          const struct mt_histogram *histogram);

#endif
