-- What there is: suppliers, categories, products, warehouses, stock.

INSERT INTO suppliers (id, name, country, email, "VAT Number", rating, contract_since)
SELECT
    id,
    names[id],
    country,
    CASE WHEN pg_temp.dice(id, 'supplier mail') < 0.85 THEN 'sales' || id || '@supplier.example' END,
    CASE WHEN pg_temp.dice(id, 'vat') < 0.7 THEN 'EU' || lpad(floor(1e9 * pg_temp.dice(id, 'vat number'))::bigint::text, 9, '0') END,
    CASE WHEN pg_temp.dice(id, 'rated') < 0.8 THEN round((2.5 + 2.5 * pg_temp.dice(id, 'supplier rating'))::numeric, 1) END,
    pg_temp.opening_day() + floor(400 * pg_temp.dice(id, 'contract') ^ 2)::int
FROM (
    SELECT id, pg_temp.pick('{Germany,Italy,China,Portugal,Poland,Sweden,Netherlands,Türkiye}', pg_temp.dice(id, 'supplier country')) AS country
    FROM generate_series(1, 36) AS id
) AS supplier
CROSS JOIN (SELECT ARRAY[
    'Alpenholz GmbH', 'Nordlicht Leuchten', 'Fratelli Conti', 'Porto Ceramics', 'Baltic Textiles', 'Huang & Sons',
    'Grünwerk AG', 'Atelier Blanc', 'Delft Glass Works', 'Stahl & Söhne', 'Anatolia Home', 'Smaland Furniture',
    'Riva Outdoor', 'Kaltmeer Trading', 'Ostsee Camping', 'Bergziege Sports', 'Tiber Leather', 'Mare Nostrum Goods',
    'Fjord Living', 'Silesia Steel', 'Verde Garden Tools', 'Shenzhen Bright', 'Papierhaus Klee', 'Lumen Factory',
    'Casa Bonita Imports', 'Van Rijn Kitchen', 'Hanse Logistics Goods', 'Tatra Wood', 'Schwarzwald Clocks', 'Lisboa Linens',
    'Brenner Bikes', 'Polar Optics', 'Wanderlust Bags', 'Rhein Office Supply', 'Terra Cotta Toscana', 'Zephyr Fans'
] AS names) AS list;

CREATE TEMP TABLE shelves (category text, parent text, nouns text[], price_from float, price_to float, weight_kg float);
INSERT INTO shelves VALUES
('Home', NULL, NULL, 0, 0, 0), ('Kitchen', NULL, NULL, 0, 0, 0), ('Garden', NULL, NULL, 0, 0, 0),
('Office', NULL, NULL, 0, 0, 0), ('Travel', NULL, NULL, 0, 0, 0), ('Sports', NULL, NULL, 0, 0, 0),
('Lighting', 'Home', NULL, 0, 0, 0),
('Desk Lamps', 'Lighting', '{Desk Lamp,Reading Lamp,Clip Lamp,Work Light}', 19, 140, 1.4),
('Pendant Lights', 'Lighting', '{Pendant Light,Globe Light,Cluster Light,Dome Light}', 39, 320, 2.6),
('Rugs', 'Home', '{Wool Rug,Kilim,Runner,Jute Mat}', 29, 480, 5.5),
('Bedding', 'Home', '{Duvet Cover,Pillow,Wool Blanket,Linen Sheet}', 19, 190, 1.2),
('Furniture', 'Home', '{Side Table,Bookshelf,Armchair,Sideboard}', 79, 890, 18),
('Cookware', 'Kitchen', '{Frying Pan,Saucepan,Casserole,Wok}', 24, 190, 2.1),
('Knives', 'Kitchen', '{Chef''s Knife,Bread Knife,Paring Knife,Santoku}', 15, 220, 0.3),
('Tableware', 'Kitchen', '{Dinner Plate Set,Bowl Set,Mug Set,Carafe}', 18, 130, 2.8),
('Coffee', 'Kitchen', '{Espresso Maker,Coffee Grinder,French Press,Filter Kettle}', 22, 260, 1.7),
('Garden Tools', 'Garden', '{Pruning Shears,Hand Trowel,Garden Rake,Watering Can}', 9, 85, 1.1),
('Planters', 'Garden', '{Clay Pot,Planter Box,Hanging Basket,Raised Bed}', 12, 240, 6),
('Grills', 'Garden', '{Charcoal Grill,Gas Grill,Fire Bowl,Smoker}', 69, 780, 22),
('Garden Furniture', 'Garden', '{Deck Chair,Garden Bench,Parasol,Bistro Table}', 49, 460, 12),
('Chairs', 'Office', '{Office Chair,Standing Stool,Visitor Chair,Kneeling Chair}', 89, 690, 14),
('Desks', 'Office', '{Standing Desk,Writing Desk,Corner Desk,Desk Riser}', 119, 990, 31),
('Stationery', 'Office', '{Notebook,Fountain Pen,Desk Organiser,Paper Tray}', 6, 95, 0.4),
('Backpacks', 'Travel', '{Day Pack,Trekking Pack,Laptop Backpack,Roll-Top Pack}', 39, 240, 1.3),
('Suitcases', 'Travel', '{Cabin Suitcase,Hard-Shell Suitcase,Weekender,Garment Bag}', 59, 420, 3.4),
('Camping', 'Travel', '{Tent,Sleeping Bag,Camping Stove,Headlamp}', 25, 520, 2.9),
('Running', 'Sports', '{Running Belt,Running Vest,Water Bottle,Reflective Jacket}', 14, 150, 0.4),
('Yoga', 'Sports', '{Yoga Mat,Yoga Block,Meditation Cushion,Foam Roller}', 12, 110, 1.2),
('Cycling', 'Sports', '{Bike Helmet,Bike Light,Pannier,Floor Pump}', 18, 210, 0.9),
('Climbing', 'Sports', '{Climbing Harness,Chalk Bag,Climbing Rope,Carabiner Set}', 16, 240, 1.5);

INSERT INTO categories (id, name, description)
SELECT
    row_number() OVER (ORDER BY parent IS NOT NULL, nouns IS NOT NULL, parent, category),
    category,
    CASE WHEN nouns IS NOT NULL THEN array_to_string(nouns[1:3], ', ') || ' and more' END
FROM shelves;
UPDATE categories AS c SET parent_id = above.id
FROM shelves AS s JOIN categories AS above ON above.name = s.parent
WHERE s.category = c.name;

-- Five lines of each noun. `slot` is the order of coming into the shop, by which orders choose.
CREATE TEMP TABLE lines AS
SELECT
    row_number() OVER (ORDER BY pg_temp.dice(hashtext(name), 'slot')) AS slot,
    *
FROM (
    SELECT
        pg_temp.pick(
            (ARRAY['{Alder,Nordic,Linea,Basic,Atelier}', '{Fjord,Terra,Studio,Classic,Pro}', '{Luna,Urban,Heritage,Pure,Summit}'])
                [1 + abs(hashtext(s.category)) % 3]::text[],
            (line - 0.5) / 5
        ) || ' ' || noun AS name,
        c.id AS category_id,
        s.category,
        s.price_from,
        s.price_to,
        s.weight_kg
    FROM shelves AS s
    JOIN categories AS c ON c.name = s.category
    CROSS JOIN unnest(s.nouns) AS noun
    CROSS JOIN generate_series(1, 5) AS line
) AS line;

-- Seven of ten were there from the first day; the others came along since. One in twenty was given up
-- after a while, and is not ordered any more from then on.
CREATE TEMP TABLE assortment AS
SELECT
    l.*,
    round((price_from + (price_to - price_from) * pg_temp.dice(slot, 'price') ^ 2.2)::numeric) - 0.05 AS price,
    CASE WHEN slot <= 336 THEN pg_temp.opening_day()
         ELSE pg_temp.opening_day() + ((current_date - pg_temp.opening_day()) * (slot - 336) / 148.0)::int
    END AS launched_on,
    CASE WHEN slot <= 336 AND slot % 20 = 7
         THEN pg_temp.opening_day() + 200 + floor(400 * pg_temp.dice(slot, 'given up'))::int END AS given_up_on
FROM lines AS l;

INSERT INTO products (id, sku, name, category_id, price, cost, status, weight_kg, colors, attributes, launched_on, reorder_level)
SELECT
    slot,
    upper(left(category, 3)) || '-' || lpad((1000 + slot * 7)::text, 5, '0'),
    name,
    category_id,
    price,
    round(price * (0.42 + 0.28 * pg_temp.dice(slot, 'cost'))::numeric, 2),
    CASE
        WHEN given_up_on IS NOT NULL THEN 'discontinued'
        WHEN pg_temp.dice(slot, 'status') < 0.03 THEN 'on hold'
        WHEN pg_temp.dice(slot, 'status') < 0.07 THEN 'Sold Out'
        ELSE 'active'
    END,
    CASE WHEN pg_temp.dice(slot, 'weighed') < 0.9 THEN round((weight_kg * (0.6 + 0.8 * pg_temp.dice(slot, 'weight')))::numeric, 3) END,
    (ARRAY['black', 'white', 'oak', 'forest green', 'navy', 'terracotta'])
        [1 + floor(3 * pg_temp.dice(slot, 'color from'))::int : 2 + floor(5 * pg_temp.dice(slot, 'color to'))::int],
    jsonb_build_object(
        'material', pg_temp.pick('{steel,oak,cotton,ceramic,recycled plastic,glass}', pg_temp.dice(slot, 'material')),
        'warranty_years', 1 + floor(5 * pg_temp.dice(slot, 'warranty'))::int
    ) || CASE WHEN pg_temp.dice(slot, 'eco') < 0.3 THEN '{"eco_label": true}' ELSE '{}' END::jsonb,
    launched_on,
    10 + 5 * floor(8 * pg_temp.dice(slot, 'reorder'))::int
FROM assortment;

INSERT INTO product_suppliers (product_id, supplier_id, purchase_price, lead_time_days, is_preferred)
SELECT
    p.id,
    1 + (floor(36 * pg_temp.dice(p.id, 'first supplier'))::int + 11 * (nth - 1)) % 36,
    round(p.cost * (1 + 0.06 * (nth - 1)), 2),
    3 + floor(40 * pg_temp.dice(p.id * 3 + nth, 'lead time') ^ 2)::int,
    nth = 1
FROM products AS p
CROSS JOIN generate_series(1, 3) AS nth
WHERE nth = 1 OR pg_temp.dice(p.id * 3 + nth, 'other supplier') < 0.4;

INSERT INTO logistics.warehouses (id, name, city, country, capacity) VALUES
(1, 'Leipzig North', 'Leipzig', 'Germany', 12000),
(2, 'Lyon Hub', 'Lyon', 'France', 7500),
(3, 'Manchester Depot', 'Manchester', 'United Kingdom', 4200),
(4, 'Poznań East', 'Poznań', 'Poland', 9000);

INSERT INTO logistics.stock_levels (warehouse_id, product_id, quantity, updated_at)
SELECT
    w.id,
    p.id,
    CASE WHEN p.status = 'Sold Out' THEN 0 ELSE floor(90 * pg_temp.dice(p.id * 5 + w.id, 'stock') ^ 2.5)::int END,
    date_trunc('second', now() - pg_temp.dice(p.id * 5 + w.id, 'stock updated') ^ 2 * interval '20 days')
FROM products AS p
CROSS JOIN logistics.warehouses AS w
WHERE p.status <> 'discontinued' AND (w.id = 1 OR pg_temp.dice(p.id * 5 + w.id, 'stocked') < 0.75);

INSERT INTO logistics."Stock Counts" (id, "Warehouse ID", "Counted On", "Missing Pieces", "order")
SELECT
    (month - 1) * 4 + w.id,
    w.id,
    (pg_temp.opening_day() + month * interval '1 month')::date,
    floor(40 * pg_temp.dice(month * 5 + w.id, 'missing') ^ 2)::int,
    CASE WHEN pg_temp.dice(month * 5 + w.id, 'work order') < 0.8 THEN 'WO-' || 4000 + month * 4 + w.id END
FROM generate_series(1, 24) AS month
CROSS JOIN logistics.warehouses AS w;
