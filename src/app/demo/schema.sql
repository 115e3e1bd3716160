-- The demo database: a shop that sells things for home, garden and travel in nine countries.
-- It has on purpose what real databases have: awkward spellings, keys to the same table twice,
-- names that need quotes, a second schema, and data that people who ask must not see.

CREATE SCHEMA logistics;
COMMENT ON SCHEMA logistics IS 'Warehouses and what lies in them';

CREATE DOMAIN country_name AS text CHECK (VALUE IN (
    'Germany', 'Austria', 'Switzerland', 'France', 'Netherlands', 'United Kingdom', 'Italy', 'Spain', 'Poland'
));
COMMENT ON DOMAIN country_name IS 'A country that the shop delivers to, by its English name';

CREATE DOMAIN email_address AS text CHECK (VALUE ~ '^[^@[:space:]]+@[^@[:space:]]+[.][a-z]+$');

CREATE TYPE order_status AS ENUM ('Pending', 'on hold', 'Packed', 'In Transit', 'Delivered', 'Returned', 'Cancelled');
CREATE TYPE shipment_status AS ENUM ('Label Created', 'In Transit', 'Out for Delivery', 'Delivered', 'LOST');
CREATE TYPE ticket_status AS ENUM ('Open', 'Solved', 'Closed as Duplicate', 'Spam');

-- Hidden by the demo's policy.
CREATE TABLE staff (
    id integer PRIMARY KEY,
    name text NOT NULL,
    email email_address NOT NULL UNIQUE,
    job_title text NOT NULL,
    manager_id integer REFERENCES staff,
    salary numeric(10,2) NOT NULL CHECK (salary > 0),
    hired_on date NOT NULL
);
COMMENT ON TABLE staff IS 'The people who work for the shop';
COMMENT ON COLUMN staff.salary IS 'Salary per year, in euros';

CREATE TABLE customers (
    id integer PRIMARY KEY,
    name text NOT NULL,
    email email_address NOT NULL UNIQUE,
    phone text,
    company text,
    city text NOT NULL,
    country country_name NOT NULL,
    segment text NOT NULL DEFAULT 'private' CHECK (segment IN ('private', 'small business', 'Key Account')),
    date_of_birth date,
    newsletter boolean NOT NULL DEFAULT false,
    interests text[] NOT NULL DEFAULT '{}',
    preferences jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL
);
COMMENT ON TABLE customers IS 'People and companies who have an account at the shop';
COMMENT ON COLUMN customers.company IS 'The company that a business customer buys for; NULL for private customers';
COMMENT ON COLUMN customers.city IS 'City where the customer lives';
COMMENT ON COLUMN customers.country IS 'Country where the customer lives';
COMMENT ON COLUMN customers.newsletter IS 'Whether the customer has subscribed to the newsletter';
COMMENT ON COLUMN customers.interests IS 'Top-level categories that the customer has said they like';
COMMENT ON COLUMN customers.preferences IS 'Settings of the account: language, theme, notifications';
COMMENT ON COLUMN customers.created_at IS 'When the customer signed up';

CREATE TABLE addresses (
    id integer PRIMARY KEY,
    customer_id integer NOT NULL REFERENCES customers,
    label text NOT NULL CHECK (label IN ('Home', 'Work', 'parcel locker')),
    street text NOT NULL,
    postal_code text NOT NULL,
    city text NOT NULL,
    country country_name NOT NULL,
    delivery_note text
);
COMMENT ON TABLE addresses IS 'Where customers get their parcels and bills; a customer can have several';
COMMENT ON COLUMN addresses.delivery_note IS 'What the driver should know';

CREATE TABLE suppliers (
    id integer PRIMARY KEY,
    name text NOT NULL UNIQUE,
    country text NOT NULL,
    email email_address,
    "VAT Number" text,
    rating numeric(2,1) CHECK (rating BETWEEN 1 AND 5),
    contract_since date NOT NULL
);
COMMENT ON TABLE suppliers IS 'Companies that the shop buys its products from';
COMMENT ON COLUMN suppliers.rating IS 'Our own rating of the supplier, 1 (poor) to 5 (excellent); NULL when not rated yet';

CREATE TABLE categories (
    id integer PRIMARY KEY,
    parent_id integer REFERENCES categories,
    name text NOT NULL UNIQUE,
    description text
);
COMMENT ON TABLE categories IS 'The tree of product categories';
COMMENT ON COLUMN categories.parent_id IS 'The category above; NULL at the top of the tree';

CREATE TABLE products (
    id integer PRIMARY KEY,
    sku text NOT NULL UNIQUE,
    name text NOT NULL UNIQUE,
    category_id integer NOT NULL REFERENCES categories,
    price numeric(10,2) NOT NULL CHECK (price > 0),
    cost numeric(10,2) NOT NULL CHECK (cost > 0),
    status text NOT NULL CHECK (status IN ('active', 'on hold', 'Sold Out', 'discontinued')),
    weight_kg numeric(8,3),
    colors text[] NOT NULL DEFAULT '{}',
    attributes jsonb NOT NULL DEFAULT '{}',
    launched_on date NOT NULL,
    reorder_level integer NOT NULL
);
COMMENT ON TABLE products IS 'What the shop sells or has sold';
COMMENT ON COLUMN products.sku IS 'Stock keeping unit, the article number';
COMMENT ON COLUMN products.price IS 'List price now, in euros';
COMMENT ON COLUMN products.cost IS 'What we pay for one piece, in euros';
COMMENT ON COLUMN products.weight_kg IS 'Weight in kilograms; NULL when nobody has weighed it';
COMMENT ON COLUMN products.launched_on IS 'First day on sale';
COMMENT ON COLUMN products.reorder_level IS 'Order again from the supplier when fewer pieces than this are in stock';

CREATE TABLE product_suppliers (
    product_id integer NOT NULL REFERENCES products,
    supplier_id integer NOT NULL REFERENCES suppliers,
    purchase_price numeric(10,2) NOT NULL,
    lead_time_days integer NOT NULL,
    is_preferred boolean NOT NULL,
    PRIMARY KEY (product_id, supplier_id)
);
COMMENT ON TABLE product_suppliers IS 'Which supplier can deliver which product';
COMMENT ON COLUMN product_suppliers.lead_time_days IS 'Days from ordering to delivery';

CREATE TABLE orders (
    id integer PRIMARY KEY,
    order_number text NOT NULL UNIQUE,
    customer_id integer NOT NULL REFERENCES customers,
    billing_address_id integer NOT NULL REFERENCES addresses,
    shipping_address_id integer NOT NULL REFERENCES addresses,
    status order_status NOT NULL,
    channel text NOT NULL CHECK (channel IN ('Web Shop', 'mobile app', 'marketplace', 'phone')),
    ordered_at timestamptz NOT NULL,
    items_amount numeric(12,2) NOT NULL,
    discount_amount numeric(12,2) NOT NULL DEFAULT 0,
    shipping_amount numeric(12,2) NOT NULL DEFAULT 0,
    total_amount numeric(12,2) NOT NULL,
    coupon_code text,
    note text,
    CHECK (total_amount = items_amount - discount_amount + shipping_amount)
);
COMMENT ON TABLE orders IS 'Orders of customers';
COMMENT ON COLUMN orders.ordered_at IS 'When the customer placed the order';
COMMENT ON COLUMN orders.items_amount IS 'Sum of the order items, in euros';
COMMENT ON COLUMN orders.discount_amount IS 'What a coupon takes off the whole order, in euros';
COMMENT ON COLUMN orders.shipping_amount IS 'Shipping fee, in euros';
COMMENT ON COLUMN orders.total_amount IS 'Order value and revenue of the order, in euros: items - discount + shipping. Cancelled orders keep theirs';
COMMENT ON COLUMN orders.coupon_code IS 'The coupon that was used; NULL without one';
COMMENT ON COLUMN orders.note IS 'What the customer wrote to us with the order';

CREATE TABLE order_items (
    id integer PRIMARY KEY,
    order_id integer NOT NULL REFERENCES orders,
    product_id integer NOT NULL REFERENCES products,
    quantity integer NOT NULL CHECK (quantity > 0),
    unit_price numeric(10,2) NOT NULL,
    discount numeric(10,2) NOT NULL DEFAULT 0,
    line_total numeric(12,2) NOT NULL GENERATED ALWAYS AS (quantity * unit_price - discount) STORED,
    UNIQUE (order_id, product_id)
);
COMMENT ON TABLE order_items IS 'The products in each order';
COMMENT ON COLUMN order_items.unit_price IS 'Price of one piece when it was ordered, in euros';
COMMENT ON COLUMN order_items.discount IS 'What was taken off this item, in euros';
COMMENT ON COLUMN order_items.line_total IS 'Revenue of the item, in euros: quantity * unit price - discount';

CREATE TABLE payments (
    id integer PRIMARY KEY,
    order_id integer NOT NULL REFERENCES orders,
    method text NOT NULL CHECK (method IN ('credit card', 'PayPal', 'bank transfer', 'Gift Card')),
    status text NOT NULL CHECK (status IN ('authorized', 'paid', 'Partly Refunded', 'refunded', 'FAILED')),
    amount numeric(12,2) NOT NULL,
    refunded_amount numeric(12,2) NOT NULL DEFAULT 0,
    card_number text,
    paid_at timestamptz
);
COMMENT ON TABLE payments IS 'Payments for orders';
COMMENT ON COLUMN payments.card_number IS 'Number of the credit card; NULL for other methods';
COMMENT ON COLUMN payments.paid_at IS 'When the money arrived; NULL while it has not';

CREATE TABLE logistics.warehouses (
    id integer PRIMARY KEY,
    name text NOT NULL UNIQUE,
    city text NOT NULL,
    country country_name NOT NULL,
    capacity integer NOT NULL
);
COMMENT ON TABLE logistics.warehouses IS 'Where products are stored and parcels are packed';
COMMENT ON COLUMN logistics.warehouses.capacity IS 'Pallets that fit in';

CREATE TABLE logistics.stock_levels (
    warehouse_id integer NOT NULL REFERENCES logistics.warehouses,
    product_id integer NOT NULL REFERENCES products,
    quantity integer NOT NULL CHECK (quantity >= 0),
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (warehouse_id, product_id)
);
COMMENT ON TABLE logistics.stock_levels IS 'Pieces of each product in stock, by warehouse';

CREATE TABLE logistics."Stock Counts" (
    id integer PRIMARY KEY,
    "Warehouse ID" integer NOT NULL REFERENCES logistics.warehouses,
    "Counted On" date NOT NULL,
    "Missing Pieces" integer NOT NULL,
    "order" text
);
COMMENT ON TABLE logistics."Stock Counts" IS 'Stocktaking, once a month in each warehouse';
COMMENT ON COLUMN logistics."Stock Counts"."order" IS 'Number of the work order; NULL when nobody wrote it down';

CREATE TABLE shipments (
    id integer PRIMARY KEY,
    order_id integer NOT NULL REFERENCES orders,
    warehouse_id integer NOT NULL REFERENCES logistics.warehouses,
    carrier text NOT NULL CHECK (carrier IN ('DHL', 'UPS', 'DPD', 'Royal Mail', 'La Poste')),
    tracking_number text NOT NULL UNIQUE,
    status shipment_status NOT NULL,
    shipped_at timestamptz,
    delivered_at timestamptz
);
COMMENT ON TABLE shipments IS 'Parcels on their way to customers';
COMMENT ON COLUMN shipments.shipped_at IS 'When the carrier took the parcel; NULL while it waits in the warehouse';
COMMENT ON COLUMN shipments.delivered_at IS 'When the parcel was handed over; NULL while it is under way or lost';

CREATE TABLE returns (
    id integer PRIMARY KEY,
    order_item_id integer NOT NULL REFERENCES order_items,
    quantity integer NOT NULL CHECK (quantity > 0),
    reason text NOT NULL CHECK (reason IN ('damaged', 'wrong item', 'does not fit', 'not as described', 'Changed Mind')),
    refund_amount numeric(12,2) NOT NULL,
    returned_at timestamptz NOT NULL
);
COMMENT ON TABLE returns IS 'Items that customers sent back';
COMMENT ON COLUMN returns.refund_amount IS 'What the customer got back, in euros';

CREATE TABLE reviews (
    id integer PRIMARY KEY,
    product_id integer NOT NULL REFERENCES products,
    customer_id integer NOT NULL REFERENCES customers,
    rating smallint NOT NULL CHECK (rating BETWEEN 1 AND 5),
    title text,
    helpful_votes integer NOT NULL DEFAULT 0,
    reviewed_at timestamptz NOT NULL,
    UNIQUE (product_id, customer_id)
);
COMMENT ON TABLE reviews IS 'What customers say about products that they bought';
COMMENT ON COLUMN reviews.rating IS 'Stars, 1 to 5';

CREATE TABLE support_tickets (
    id integer PRIMARY KEY,
    customer_id integer NOT NULL REFERENCES customers,
    order_id integer REFERENCES orders,
    agent_id integer REFERENCES staff,
    subject text NOT NULL,
    status ticket_status NOT NULL,
    priority text NOT NULL CHECK (priority IN ('low', 'normal', 'high', 'URGENT')),
    labels text[] NOT NULL DEFAULT '{}',
    satisfaction smallint CHECK (satisfaction BETWEEN 1 AND 5),
    opened_at timestamptz NOT NULL,
    closed_at timestamptz,
    CHECK ((status = 'Open') = (closed_at IS NULL))
);
COMMENT ON TABLE support_tickets IS 'Questions and complaints of customers';
COMMENT ON COLUMN support_tickets.order_id IS 'The order that it is about, if it is about one';
COMMENT ON COLUMN support_tickets.agent_id IS 'Who takes care of it; NULL while nobody does';
COMMENT ON COLUMN support_tickets.satisfaction IS 'How content the customer was, 1 to 5; NULL when they did not say';
COMMENT ON COLUMN support_tickets.closed_at IS 'NULL while the ticket is open';

CREATE VIEW low_stock AS
SELECT p.id AS product_id, p.name AS product, sum(s.quantity) AS pieces, p.reorder_level
FROM products AS p
JOIN logistics.stock_levels AS s ON s.product_id = p.id
WHERE p.status = 'active'
GROUP BY p.id
HAVING sum(s.quantity) < p.reorder_level;
COMMENT ON VIEW low_stock IS 'Products on sale that have to be ordered again from a supplier';
