/* The text format of Prometheus: names, escapes, numbers, histograms. */
#include "base/metrics.h"
#include "tests.h"

#include <math.h>
#include <string.h>

static const struct mt_metric requests = {"requests_total", "counter", "Requests\\that\n\"were\"."};

static void samples(void **state)
{
    struct mt_buf out;
    const struct mt_metric_label labels[] = {
        {"host", "a\"b\\c\nd\xFFz"}, {"class", "2xx"}, {NULL, NULL}};

    (void)state;
    mt_buf_init(&out, 1 << 20);
    mt_metrics_begin(&out, &requests);
    mt_metrics_u64(&out, &requests, labels, UINT64_MAX);
    mt_metrics_f64(&out, &requests, NULL, 0.1);
    mt_metrics_f64(&out, &requests, NULL, NAN);
    mt_metrics_f64(&out, &requests, NULL, -INFINITY);
    assert_string_equal(out.data,
                        "# HELP requests_total Requests\\\\that\\n\"were\".\n"
                        "# TYPE requests_total counter\n"
                        "requests_total{host=\"a\\\"b\\\\c\\nd\xEF\xBF\xBDz\",class=\"2xx\"} "
                        "18446744073709551615\n"
                        "requests_total 0.1\nrequests_total NaN\nrequests_total -Inf\n");
    mt_buf_deinit(&out);
}

static void labels_are_bounded(void **state)
{
    struct mt_buf out;
    char text[600];

    (void)state;
    for (size_t before = 250; before < 260; before++) { /* also across the place where it is cut */
        const struct mt_metric_label labels[] = {{"name", text}, {NULL, NULL}};
        memset(text, '.', sizeof text);
        memcpy(text + before, "你", 3);
        text[sizeof text - 1] = '\0';
        mt_buf_init(&out, 1 << 20);
        mt_metrics_u64(&out, &requests, labels, 1);
        assert_true(out.len <= MT_METRICS_LABEL_MAX + 26 && out.len >= MT_METRICS_LABEL_MAX + 23);
        assert_null(strstr(out.data, "\xEF\xBF\xBD"));
        mt_buf_deinit(&out);
    }
}

static void histograms(void **state)
{
    static const double bounds[] = {0.001, 0.5};
    static const struct mt_metric lag = {"lag_seconds", "histogram", "Lag."};
    struct mt_histogram histogram;
    struct mt_buf out;

    (void)state;
    mt_histogram_init(&histogram, bounds, 2);
    mt_histogram_note(&histogram, 0.001); /* a bound belongs to what is below it */
    mt_histogram_note(&histogram, 0.25);
    mt_histogram_note(&histogram, 0.25);
    mt_histogram_note(&histogram, 7);
    mt_buf_init(&out, 1 << 20);
    mt_metrics_histogram(&out, &lag, &histogram);
    assert_string_equal(out.data, "lag_seconds_bucket{le=\"0.001\"} 1\n"
                                  "lag_seconds_bucket{le=\"0.5\"} 3\n"
                                  "lag_seconds_bucket{le=\"+Inf\"} 4\n"
                                  "lag_seconds_sum 7.501\nlag_seconds_count 4\n");
    mt_buf_deinit(&out);
}

int test_metrics(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(samples),
        cmocka_unit_test(labels_are_bounded),
        cmocka_unit_test(histograms),
    };
    return cmocka_run_group_tests_name("base/metrics", tests, NULL, NULL);
}
