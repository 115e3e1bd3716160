-- What the role that db-chat asks as may do: read what the demo's policy shows. The second wall: it holds
-- even if a query came past the guard.
--
-- A positive list, so that a table added later stays hidden until someone decides.

REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public, logistics TO shop_reader;

GRANT SELECT ON
    customers, addresses, suppliers, categories, products, product_suppliers, orders, order_items,
    shipments, returns, reviews, support_tickets, low_stock,
    logistics.warehouses, logistics.stock_levels, logistics."Stock Counts"
TO shop_reader;
-- Not card_number.
GRANT SELECT (id, order_id, method, status, amount, refunded_amount, paid_at) ON payments TO shop_reader;

ALTER ROLE shop_reader SET default_transaction_read_only = on;
