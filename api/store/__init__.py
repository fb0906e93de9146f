"""PostgreSQL: what a reporter must not forget. The only place with SQL."""
