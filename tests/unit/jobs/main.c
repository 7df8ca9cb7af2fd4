/* The tests of the room jobs. */
int test_export(void);
int test_gaps(void);
int test_trouble(void);
int test_known(void);
int test_media(void);
int test_cron(void);
int test_schedule(void);
int test_words(void);
int test_duty(void);
int test_audit_log(void);

int main(void)
{
    int failed = 0;

    failed += test_export();
    failed += test_gaps();
    failed += test_trouble();
    failed += test_known();
    failed += test_media();
    failed += test_cron();
    failed += test_schedule();
    failed += test_words();
    failed += test_duty();
    failed += test_audit_log();
    return failed;
}
