// What the players' page needs of PixiJS, and its shaders without `new Function`: our pages forbid that.
import 'pixi.js/unsafe-eval';

export { Application, Container, Graphics, Rectangle, Sprite, Text, Texture } from 'pixi.js';
