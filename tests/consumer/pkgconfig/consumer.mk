# consumer.mk -- a consumer that asks pkg-config
consumer: ../main.c
	$(CC) $(CFLAGS) $$(pkg-config --cflags kvarena) -o $(OUT)/consumer \
		../main.c $$(pkg-config --libs kvarena)
