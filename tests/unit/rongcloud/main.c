/* The tests of the room rongcloud. */
int test_content(void);
int test_map(void);
int test_page(void);
int test_outgoing(void);
int test_event(void);
int test_app(void);
int test_golden(void);
int test_link(void);
int test_live(void);
int test_wire(void);
int test_media(void);
int test_room(void);
int test_send(void);
int test_model(void);
int test_list(void);
int test_manage(void);

int main(void)
{
    int failed = 0;

    failed += test_golden();
    failed += test_content();
    failed += test_map();
    failed += test_page();
    failed += test_outgoing();
    failed += test_event();
    failed += test_app();
    failed += test_link();
    failed += test_live();
    failed += test_wire();
    failed += test_media();
    failed += test_room();
    failed += test_send();
    failed += test_model();
    failed += test_list();
    failed += test_manage();
    return failed;
}
