"""The alerts consumer: keeps what runs raised, and tells repeats from news by the brokers' clock."""
