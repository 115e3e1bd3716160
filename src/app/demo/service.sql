-- What customers tell us: reviews and support tickets.

INSERT INTO reviews (id, product_id, customer_id, rating, title, helpful_votes, reviewed_at)
SELECT
    row_number() OVER (ORDER BY reviewed_at, id),
    product_id,
    customer_id,
    rating,
    CASE WHEN pg_temp.dice(id, 'titled') < 0.7 THEN CASE
        WHEN rating >= 4 THEN pg_temp.pick('{Love it,"Just as described","Great value","Would buy again","Très bien","Sehr schön"}', pg_temp.dice(id, 'title'))
        WHEN rating = 3 THEN pg_temp.pick('{"It does the job","Smaller than expected","OK for the price"}', pg_temp.dice(id, 'title'))
        ELSE pg_temp.pick('{"Broke after a week","Not what I ordered",Disappointed,"Poor quality"}', pg_temp.dice(id, 'title'))
    END END,
    floor(30 * pg_temp.dice(id, 'helpful') ^ 6)::int,
    reviewed_at
FROM (
    SELECT DISTINCT ON (i.product_id, o.customer_id)
        i.id,
        i.product_id,
        o.customer_id,
        -- Some products are better than others.
        (ARRAY[1, 1, 2, 2, 3, 3, 3, 4, 4, 4, 4, 4, 5, 5, 5, 5, 5, 5, 5, 5])
            [1 + floor(20 * pg_temp.dice(i.id, 'rating') ^ (0.5 + 0.8 * pg_temp.dice(i.product_id, 'quality')))::int] AS rating,
        date_trunc('second', s.delivered_at + (2 + 24 * pg_temp.dice(i.id, 'days to review')) * interval '1 day') AS reviewed_at
    FROM order_items AS i
    JOIN orders AS o ON o.id = i.order_id
    JOIN shipments AS s ON s.order_id = o.id
    WHERE o.status = 'Delivered' AND pg_temp.dice(i.id, 'reviewed') < 0.17
    ORDER BY i.product_id, o.customer_id, i.id
) AS said
WHERE reviewed_at < now();

-- Most tickets are about an order, some are not. They stay open for a day or two; urgent ones less, and one
-- in a hundred is forgotten.
INSERT INTO support_tickets (id, customer_id, order_id, agent_id, subject, status, priority, labels, satisfaction, opened_at, closed_at)
SELECT
    row_number() OVER (ORDER BY opened_at, die),
    customer_id,
    order_id,
    CASE WHEN closed_at IS NOT NULL OR pg_temp.dice(die, 'assigned') < 0.6
         THEN 8 + 4 * floor(10 * pg_temp.dice(die, 'agent'))::int END,
    CASE WHEN order_id IS NULL
         THEN pg_temp.pick('{"Cannot log in","Question about a product","Change of address","Newsletter"}', pg_temp.dice(die, 'subject'))
         ELSE pg_temp.pick('{"Where is my parcel?","Arrived damaged","Wrong item","Refund not received","Invoice needed","Change my order"}', pg_temp.dice(die, 'subject'))
    END,
    (CASE
        WHEN closed_at IS NULL THEN 'Open'
        WHEN pg_temp.dice(die, 'outcome') < 0.93 THEN 'Solved'
        WHEN pg_temp.dice(die, 'outcome') < 0.98 THEN 'Closed as Duplicate'
        ELSE 'Spam'
    END)::ticket_status,
    priority,
    CASE WHEN pg_temp.dice(die, 'labels') < 0.4 THEN '{}'::text[]
         ELSE ARRAY[pg_temp.pick('{shipping,billing,product,account}', pg_temp.dice(die, 'label'))]
              || CASE WHEN priority = 'URGENT' THEN '{escalated}'::text[] ELSE '{}'::text[] END END,
    CASE WHEN closed_at IS NOT NULL AND pg_temp.dice(die, 'asked') < 0.45
         THEN 1 + floor(5 * pg_temp.dice(die, 'satisfaction') ^ 0.5)::int END,
    opened_at,
    closed_at
FROM (
    SELECT
        t.*,
        CASE WHEN pg_temp.dice(die, 'forgotten') >= 0.01 AND closes_at < now() THEN closes_at END AS closed_at
    FROM (
        SELECT
            q.*,
            date_trunc('second', opened_at
                + (2 + 120 * pg_temp.dice(die, 'hours open') ^ 3 * CASE WHEN priority = 'URGENT' THEN 0.3 ELSE 1 END) * interval '1 hour') AS closes_at
        FROM (
            SELECT
                id AS die,
                customer_id,
                id AS order_id,
                pg_temp.pick('{low,normal,normal,normal,normal,high,high,URGENT}', pg_temp.dice(id, 'priority')) AS priority,
                date_trunc('second', ordered_at + 20 * pg_temp.dice(id, 'days to ticket') ^ 1.5 * interval '1 day' + interval '1 hour') AS opened_at
            FROM orders
            WHERE pg_temp.dice(id, 'ticket') < 0.075
            UNION ALL
            SELECT
                -id,
                id,
                NULL,
                pg_temp.pick('{low,low,normal,normal,high}', pg_temp.dice(id, 'own priority')),
                date_trunc('second', created_at + (now() - created_at) * pg_temp.dice(id, 'own ticket at'))
            FROM customers
            WHERE pg_temp.dice(id, 'own ticket') < 0.12
        ) AS q
    ) AS t
    WHERE opened_at < now()
) AS ticket;

-- What questions are asked by.
CREATE INDEX ON addresses (customer_id);
CREATE INDEX ON products (category_id);
CREATE INDEX ON orders (customer_id);
CREATE INDEX ON orders (ordered_at);
CREATE INDEX ON order_items (product_id);
CREATE INDEX ON payments (order_id);
CREATE INDEX ON shipments (order_id);
CREATE INDEX ON returns (order_item_id);
CREATE INDEX ON reviews (customer_id);
CREATE INDEX ON support_tickets (customer_id);
CREATE INDEX ON support_tickets (order_id);
