-- What happens every day: orders, their items, parcels, returns, payments.
--
-- Amounts follow from each other: an order's total from its items, a refund from what came back, a
-- payment from its order.

-- How much is ordered on each day, relative to the others: the shop grows, Sundays and the weeks before
-- Christmas are strong, summers are weak.
CREATE TEMP TABLE days AS
SELECT
    day,
    (SELECT count(*) FROM customers WHERE created_at < day) AS customers_count,
    (SELECT count(*) FROM assortment WHERE launched_on <= day) AS slots_count,
    sum(strength) OVER (ORDER BY day) / sum(strength) OVER () AS share_to,
    (sum(strength) OVER (ORDER BY day) - strength) / sum(strength) OVER () AS share_from
FROM (
    SELECT
        day::date AS day,
        (1 + 1.3 * (day::date - pg_temp.opening_day()) / 730.0)
            * (ARRAY[0.85, 0.82, 0.95, 1.0, 1.05, 0.98, 0.88, 0.85, 1.0, 1.1, 1.45, 1.5])[extract(month FROM day)::int]
            * (ARRAY[1.06, 1.0, 0.97, 0.98, 0.94, 0.88, 1.17])[extract(isodow FROM day)::int]
            * (0.85 + 0.3 * pg_temp.dice(day::date - pg_temp.opening_day(), 'day')) AS strength
    FROM generate_series(pg_temp.opening_day() + 7, current_date, interval '1 day') AS day
) AS strength;

-- Every sixth customer is a regular. What would happen later
-- today has not happened yet.
CREATE TEMP TABLE order_plan AS
SELECT
    p.*,
    extract(epoch FROM now() - ordered_at) / 86400 AS age_days,
    pg_temp.dice(p.id, 'fate') AS fate,
    c.segment,
    c.country
FROM (
    SELECT
        row_number() OVER (ORDER BY ordered_at, nth)::int AS id,
        day,
        slots_count,
        (CASE WHEN pg_temp.dice(nth, 'regular') < 0.45 AND chosen > 6 THEN chosen - chosen % 6 ELSE chosen END)::int AS customer_id,
        ordered_at
    FROM (
        SELECT
            d.*,
            nth,
            1 + floor(d.customers_count * pg_temp.dice(nth, 'customer'))::int AS chosen,
            date_trunc('second', d.day + interval '5 hours'
                + (pg_temp.dice(nth, 'hour') + pg_temp.dice(nth, 'hour again')) * interval '9.4 hours') AS ordered_at
        FROM days AS d
        CROSS JOIN generate_series(1 + floor(26000 * d.share_from)::int, floor(26000 * d.share_to)::int) AS nth
    ) AS placed
    WHERE ordered_at < now()
) AS p
JOIN customers AS c ON c.id = p.customer_id;

-- Old products sell best, and so do the very newest. Who is about to be given up is replaced by a neighbour.
CREATE TEMP TABLE item_plan AS
SELECT DISTINCT ON (p.order_id, p.slot)
    p.order_id,
    p.slot AS product_id,
    CASE
        WHEN p.segment = 'private' THEN 1 + floor(2.4 * pg_temp.dice(p.throw, 'quantity') ^ 4)::int
        ELSE 1 + floor(9 * pg_temp.dice(p.throw, 'quantity') ^ 2)::int
    END AS quantity,
    -- Prices went up after the first year.
    CASE WHEN p.day < pg_temp.opening_day() + 365 THEN round(a.price * 0.95, 2) ELSE a.price END AS unit_price,
    CASE WHEN pg_temp.dice(p.throw, 'discounted') < 0.12 THEN 0.05 * (1 + floor(4 * pg_temp.dice(p.throw, 'discount')))::numeric ELSE 0 END AS discount_share
FROM (
    SELECT
        o.id AS order_id,
        o.day,
        o.segment,
        t.throw,
        CASE WHEN g.given_up_on <= o.day THEN s.slot + 1 ELSE s.slot END AS slot
    FROM order_plan AS o
    CROSS JOIN generate_series(1, 1 + floor(3.6 * pg_temp.dice(o.id, 'items') ^ 1.6)::int) AS nth
    CROSS JOIN LATERAL (SELECT o.id::bigint * 8 + nth AS throw) AS t
    CROSS JOIN LATERAL (
        SELECT 1 + CASE
            WHEN pg_temp.dice(t.throw, 'novelty') < 0.12
            THEN o.slots_count - 1 - floor(0.08 * o.slots_count * pg_temp.dice(t.throw, 'product'))::int
            ELSE floor(o.slots_count * pg_temp.dice(t.throw, 'product') ^ 1.9)::int
        END AS slot
    ) AS s
    JOIN assortment AS g ON g.slot = s.slot
) AS p
JOIN assortment AS a ON a.slot = p.slot;

CREATE TEMP TABLE order_sums AS
SELECT
    *,
    CASE WHEN coupon_code IS NULL THEN 0 ELSE round(items_amount * 0.1, 2) END AS discount_amount,
    CASE
        WHEN items_amount >= 80 THEN 0
        WHEN country IN ('Switzerland', 'United Kingdom') THEN 12.90
        WHEN country = 'Germany' THEN 4.90
        ELSE 7.90
    END AS shipping_amount
FROM (
    SELECT
        o.*,
        i.items_amount,
        CASE
            WHEN extract(month FROM o.day) = 11 AND pg_temp.dice(o.id, 'coupon') < 0.3 THEN 'BLACK-FRIDAY'
            WHEN pg_temp.dice(o.id, 'coupon') < 0.04 THEN 'WELCOME10'
            WHEN pg_temp.dice(o.id, 'coupon') < 0.09 THEN 'Thank You'
        END AS coupon_code
    FROM order_plan AS o
    JOIN (
        SELECT order_id, sum(quantity * unit_price - round(quantity * unit_price * discount_share, 2)) AS items_amount
        FROM item_plan GROUP BY order_id
    ) AS i ON i.order_id = o.id
) AS summed;

INSERT INTO orders (id, order_number, customer_id, billing_address_id, shipping_address_id, status, channel, ordered_at,
                    items_amount, discount_amount, shipping_amount, total_amount, coupon_code, note)
SELECT
    o.id,
    'SO-' || 100000 + o.id,
    o.customer_id,
    a.home_id,
    CASE WHEN pg_temp.dice(o.id, 'elsewhere') < 0.4 THEN a.other_id ELSE a.home_id END,
    (CASE
        WHEN age_days > 0.5 AND fate < 0.05 THEN 'Cancelled'
        WHEN age_days > 25 AND fate < 0.08 THEN 'Returned'
        WHEN age_days < 1 THEN CASE WHEN fate < 0.6 THEN 'Pending' WHEN fate < 0.66 THEN 'on hold' ELSE 'Packed' END
        WHEN age_days < 3 THEN CASE WHEN fate < 0.1 THEN 'on hold' WHEN fate < 0.45 THEN 'Packed' ELSE 'In Transit' END
        WHEN age_days < 7 THEN CASE WHEN fate < 0.5 THEN 'In Transit' ELSE 'Delivered' END
        -- Lost on the way.
        WHEN fate > 0.996 THEN 'In Transit'
        ELSE 'Delivered'
    END)::order_status,
    CASE
        WHEN pg_temp.dice(o.id, 'channel') < 0.48 THEN 'Web Shop'
        WHEN pg_temp.dice(o.id, 'channel') < 0.80 THEN 'mobile app'
        WHEN pg_temp.dice(o.id, 'channel') < 0.94 THEN 'marketplace'
        ELSE 'phone'
    END,
    ordered_at,
    items_amount,
    discount_amount,
    shipping_amount,
    items_amount - discount_amount + shipping_amount,
    coupon_code,
    CASE WHEN pg_temp.dice(o.id, 'note') < 0.04
         THEN pg_temp.pick('{"Please wrap it as a gift","No plastic, please","Call before delivery","Invoice to the company"}', pg_temp.dice(o.id, 'which note')) END
FROM order_sums AS o
JOIN (SELECT customer_id, min(id) AS home_id, max(id) AS other_id FROM addresses GROUP BY customer_id) AS a USING (customer_id);

INSERT INTO order_items (id, order_id, product_id, quantity, unit_price, discount)
SELECT
    row_number() OVER (ORDER BY order_id, product_id),
    order_id,
    product_id,
    quantity,
    unit_price,
    round(quantity * unit_price * discount_share, 2)
FROM item_plan;

INSERT INTO shipments (id, order_id, warehouse_id, carrier, tracking_number, status, shipped_at, delivered_at)
SELECT
    row_number() OVER (ORDER BY id),
    id,
    CASE WHEN country IN ('Germany', 'Austria', 'Switzerland', 'Netherlands') THEN 1
         WHEN country = 'United Kingdom' THEN 3
         WHEN country = 'Poland' THEN 4
         ELSE 2 END,
    CASE
        WHEN country = 'United Kingdom' AND pg_temp.dice(id, 'carrier') < 0.7 THEN 'Royal Mail'
        WHEN country = 'France' AND pg_temp.dice(id, 'carrier') < 0.6 THEN 'La Poste'
        ELSE pg_temp.pick('{DHL,DHL,DHL,UPS,DPD}', pg_temp.dice(id, 'carrier'))
    END,
    'TR' || lpad(floor(1e6 * pg_temp.dice(id, 'tracking'))::int::text, 6, '0') || lpad(id::text, 7, '0'),
    (CASE
        WHEN status = 'Packed' THEN 'Label Created'
        WHEN status <> 'In Transit' THEN 'Delivered'
        WHEN age_days > 7 THEN 'LOST'
        WHEN pg_temp.dice(id, 'nearly there') < 0.3 THEN 'Out for Delivery'
        ELSE 'In Transit'
    END)::shipment_status,
    CASE WHEN status <> 'Packed' THEN shipped_at END,
    CASE WHEN status IN ('Delivered', 'Returned')
         -- A parcel of the last days was quick, or it would still be under way.
         THEN date_trunc('second', shipped_at + CASE WHEN age_days < 7 THEN 0.9 ELSE 1 + 3 * pg_temp.dice(id, 'days under way') END * interval '1 day') END
FROM (
    SELECT o.*, p.age_days, p.country, date_trunc('second', o.ordered_at + (8 + 15 * pg_temp.dice(o.id, 'packing')) * interval '1 hour') AS shipped_at
    FROM orders AS o
    JOIN order_plan AS p USING (id)
    WHERE o.status IN ('Packed', 'In Transit', 'Delivered', 'Returned')
) AS sent;

INSERT INTO returns (id, order_item_id, quantity, reason, refund_amount, returned_at)
SELECT
    row_number() OVER (ORDER BY returned_at, id),
    id,
    back,
    pg_temp.pick('{damaged,"wrong item","does not fit","does not fit","not as described","Changed Mind","Changed Mind"}', pg_temp.dice(id, 'reason')),
    round(line_total * back / quantity, 2),
    returned_at
FROM (
    SELECT
        i.*,
        CASE WHEN o.status = 'Returned' THEN i.quantity ELSE 1 END AS back,
        date_trunc('second', s.delivered_at + (2 + 12 * pg_temp.dice(o.id, 'days to return')) * interval '1 day') AS returned_at
    FROM order_items AS i
    JOIN orders AS o ON o.id = i.order_id
    JOIN shipments AS s ON s.order_id = o.id
    WHERE o.status = 'Returned' OR (o.status = 'Delivered' AND pg_temp.dice(i.id, 'returned') < 0.045)
) AS sent_back
WHERE returned_at < now();

-- What failed, and then what was paid after all.
INSERT INTO payments (id, order_id, method, status, amount, refunded_amount, card_number, paid_at)
SELECT
    row_number() OVER (ORDER BY id, attempt),
    id,
    method,
    CASE
        WHEN attempt = 1 THEN 'FAILED'
        WHEN status IN ('Pending', 'on hold') THEN 'authorized'
        WHEN refunded_amount = 0 THEN 'paid'
        WHEN refunded_amount = total_amount THEN 'refunded'
        ELSE 'Partly Refunded'
    END,
    total_amount,
    CASE WHEN attempt = 2 THEN refunded_amount ELSE 0 END,
    CASE WHEN method = 'credit card' THEN '9999 ' || substr(card, 1, 4) || ' ' || substr(card, 5, 4) || ' ' || substr(card, 9, 4) END,
    CASE WHEN attempt = 2 AND status NOT IN ('Pending', 'on hold')
         -- Bank transfers take their time, but nothing is packed before the money is there.
         THEN date_trunc('second', least(now(),
            ordered_at + CASE WHEN method = 'bank transfer' THEN 6 * pg_temp.dice(id, 'transfer') ELSE 0.02 END * interval '1 hour')) END
FROM (
    SELECT
        o.*,
        pg_temp.pick('{"credit card","credit card","credit card",PayPal,PayPal,PayPal,"bank transfer","bank transfer","Gift Card"}',
                     pg_temp.dice(o.id, 'method')) AS method,
        -- A card belongs to its customer; no real one begins with 9999.
        lpad(floor(1e9 * pg_temp.dice(o.customer_id, 'card'))::bigint::text, 12, '4012') AS card,
        CASE WHEN o.status IN ('Cancelled', 'Returned') THEN o.total_amount ELSE least(coalesce(r.refund_amount, 0), o.total_amount) END AS refunded_amount
    FROM orders AS o
    LEFT JOIN (
        SELECT i.order_id, sum(r.refund_amount) AS refund_amount
        FROM returns AS r JOIN order_items AS i ON i.id = r.order_item_id GROUP BY i.order_id
    ) AS r ON r.order_id = o.id
) AS due
CROSS JOIN generate_series(1, 2) AS attempt
WHERE attempt = 2 OR pg_temp.dice(id, 'first attempt') < 0.035;
