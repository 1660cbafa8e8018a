import type { Node, NodeClass, Nunjucks } from './nunjucks.ts';

/** nunjucks' parser with Jinja's precedence, slices and `{% do %}`. */
export function parserClass({ parser, nodes }: Nunjucks, Slice: NodeClass) {
  const infix = {
    '+': nodes['Add']!,
    '-': nodes['Sub']!,
    '*': nodes['Mul']!,
    '/': nodes['Div']!,
    '//': nodes['FloorDiv']!,
    '%': nodes['Mod']!,
  };
  return class extends parser.Parser {
    /** Sums and products from left to right, as Python has them. */
    override parseConcat(): Node {
      return this.leftToRight(['+', '-'], () => this.parseTilde());
    }

    parseTilde(): Node {
      let node = this.parseProduct();
      while (this.skipValue('tilde', '~'))
        node = new nodes['Concat']!(node.lineno, node.colno, node, this.parseProduct());
      return node;
    }

    parseProduct(): Node {
      return this.leftToRight(['*', '//', '/', '%'], () => this.parsePower());
    }

    parsePower(): Node {
      const node = this.parseUnary();
      return this.skipValue('operator', '**')
        ? new nodes['Pow']!(node.lineno, node.colno, node, this.parsePower())
        : node;
    }

    leftToRight(operators: readonly (keyof typeof infix)[], operand: () => Node): Node {
      let node = operand();
      for (;;) {
        const operator = operators.find((each) => this.skipValue('operator', each));
        if (operator === undefined) return node;
        node = new infix[operator](node.lineno, node.colno, node, operand());
      }
    }

    override parsePostfix(start: Node): Node {
      let node = start;
      for (let token = this.peekToken(); token; token = this.peekToken()) {
        if (token.type === 'left-paren')
          node = new nodes['FunCall']!(token.lineno, token.colno, node, this.parseSignature());
        else if (token.type === 'left-bracket') node = this.parseSubscript(node);
        else if (token.type === 'operator' && token.value === '.') {
          this.nextToken();
          const name = this.nextToken();
          const known = name.type === 'symbol' || name.type === 'boolean' || name.type === 'none';
          if (!known && name.type !== 'int')
            this.fail(`expected a name after '.', got ${name.value}`, name.lineno, name.colno);
          const key = new nodes['Literal']!(name.lineno, name.colno, known ? name.value : Number(name.value));
          node = new nodes['LookupVal']!(token.lineno, token.colno, node, key);
        } else break;
      }
      return node;
    }

    /** `[index]` or `[start:stop:step]`. */
    parseSubscript(target: Node): Node {
      const open = this.nextToken();
      const parts: (Node | null)[] = [null];
      while (!this.skip('right-bracket')) {
        if (this.skip('colon')) parts.push(null);
        else if (parts.at(-1) === null) parts[parts.length - 1] = this.parseExpression();
        else this.fail("expected ':' or ']'", open.lineno, open.colno);
      }
      const none = (): Node => new nodes['Literal']!(open.lineno, open.colno, null);
      if (parts.length === 1)
        return new nodes['LookupVal']!(
          open.lineno,
          open.colno,
          target,
          parts[0] ?? this.fail('an index is missing', open.lineno, open.colno),
        );
      return new nodes['LookupVal']!(
        open.lineno,
        open.colno,
        target,
        new Slice(open.lineno, open.colno, ...[0, 1, 2].map((i) => parts[i] ?? none())),
      );
    }

    /** `{% do list.append(x) %}`: evaluates, and prints nothing. */
    override parseStatement(): Node | null {
      const tag = this.peekToken();
      if (tag.value !== 'do') return super.parseStatement();
      this.nextToken();
      const expression = this.parseExpression();
      this.advanceAfterBlockEnd('do');
      return new nodes['If']!(
        tag.lineno,
        tag.colno,
        expression,
        new nodes['NodeList']!(tag.lineno, tag.colno, []),
        null,
      );
    }
  };
}
