/* The tests of the room easemob. */
int test_account(void);
int test_app(void);
int test_decode(void);
int test_faults(void);
int test_files(void);
int test_golden(void);
int test_manage(void);
int test_live_queue(void);
int test_live_session(void);
int test_outgoing(void);
int test_parse(void);
int test_sandbox(void);
int test_verbs(void);

int main(void)
{
    int failed = 0;

    failed += test_golden();
    failed += test_decode();
    failed += test_outgoing();
    failed += test_parse();
    failed += test_faults();
    failed += test_account();
    failed += test_app();
    failed += test_verbs();
    failed += test_manage();
    failed += test_live_session();
    failed += test_live_queue();
    failed += test_files();
    failed += test_sandbox();
    return failed;
}
