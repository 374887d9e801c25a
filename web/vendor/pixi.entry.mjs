// What the players' page needs of PixiJS: its WebGL renderer with sprites, graphics and texts. The main module of the
// package would add the other renderers, filters, events and loaders, which take a slow device longer to start.

// Shaders without `new Function`, which the Content-Security-Policy forbids.
import 'pixi.js/unsafe-eval';
import 'pixi.js/graphics';
import 'pixi.js/text';
import '../../node_modules/pixi.js/lib/rendering/init.mjs';

export { Rectangle } from '../../node_modules/pixi.js/lib/maths/shapes/Rectangle.mjs';
export { WebGLRenderer } from '../../node_modules/pixi.js/lib/rendering/renderers/gl/WebGLRenderer.mjs';
export { Texture } from '../../node_modules/pixi.js/lib/rendering/renderers/shared/texture/Texture.mjs';
export { Container } from '../../node_modules/pixi.js/lib/scene/container/Container.mjs';
export { Graphics } from '../../node_modules/pixi.js/lib/scene/graphics/shared/Graphics.mjs';
export { Sprite } from '../../node_modules/pixi.js/lib/scene/sprite/Sprite.mjs';
export { Text } from '../../node_modules/pixi.js/lib/scene/text/Text.mjs';
export { Ticker } from '../../node_modules/pixi.js/lib/ticker/Ticker.mjs';
