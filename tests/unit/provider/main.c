/* The tests of the room provider. */
int test_reader(void);
int test_capability(void);
int test_clock(void);
int test_figures(void);

int main(void)
{
    return test_reader() + test_capability() + test_clock() + test_figures();
}
