/** Functions whose return values are the next ones' arguments: the compiler checks what one task gives another. */
import { Dag, task } from '@rondo/sdk';

interface Order {
  readonly id: number;
  readonly items: readonly { readonly price: number; readonly quantity: number }[];
}

interface Invoice {
  readonly orderId: number;
  readonly net: number;
  readonly gross: number;
}

export default new Dag(
  { id: 'typed_xcoms', description: 'Typed values from task to task', tags: ['example'], params: { taxRate: 0.19 } },
  () => {
    const fetchOrder = task('fetch_order', (): Order => ({
      id: 4711,
      items: [
        { price: 12.5, quantity: 2 },
        { price: 3, quantity: 5 },
      ],
    }));

    const netOf = task('net', (_ctx, items: Order['items']) =>
      items.reduce((sum, { price, quantity }) => sum + price * quantity, 0),
    );

    const invoice = task('invoice', (ctx, order: Order, net: number): Invoice => ({
      orderId: order.id,
      net,
      gross: Math.round(net * (1 + Number(ctx.params.taxRate)) * 100) / 100,
    }));

    const order = fetchOrder();
    const made = invoice(order, netOf(order.get('items')));
    task('print', { gross: made.get('gross'), made }, (ctx, input) =>
      ctx.log.info(`invoice of order ${input.made.orderId}: ${input.gross}`),
    );
  },
);
