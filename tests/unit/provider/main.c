/* The tests of the room provider. */
int test_reader(void);

int main(void)
{
    return test_reader();
}
