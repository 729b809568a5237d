/** Eight bits each of red, green, blue and opacity for every pixel, row by row. */
export type Picture = { width: number; height: number; rgba: Buffer };

/** The same picture, made smaller so that it fits: each new pixel is the mean of those it stands for. Never larger. */
export function fitted(picture: Picture, box: { width: number; height: number }): Picture {
  const scale = Math.min(1, box.width / picture.width, box.height / picture.height);
  if (scale === 1) return picture;
  const width = Math.max(1, Math.round(picture.width * scale));
  const height = Math.max(1, Math.round(picture.height * scale));
  const rgba = Buffer.alloc(width * height * 4);
  for (let y = 0; y < height; y += 1)
    for (let x = 0; x < width; x += 1)
      meanInto(rgba, (y * width + x) * 4, picture, areaOf(picture, x, y, { width, height }));
  return { width, height, rgba };
}

type Area = { left: number; right: number; top: number; bottom: number };

/** The old pixels that a new one stands for; at least one. */
function areaOf(of: Picture, x: number, y: number, to: { width: number; height: number }): Area {
  const left = Math.floor((x * of.width) / to.width);
  const top = Math.floor((y * of.height) / to.height);
  return {
    left,
    top,
    right: Math.max(left + 1, Math.floor(((x + 1) * of.width) / to.width)),
    bottom: Math.max(top + 1, Math.floor(((y + 1) * of.height) / to.height)),
  };
}

/** Colours count by their opacity: what can not be seen does not bleed into the edge. */
function meanInto(target: Buffer, at: number, { rgba, width }: Picture, area: Area): void {
  let [red, green, blue, opacity, count] = [0, 0, 0, 0, 0];
  for (let y = area.top; y < area.bottom; y += 1)
    for (let x = area.left; x < area.right; x += 1) {
      const from = (y * width + x) * 4;
      const alpha = rgba[from + 3]!;
      red += rgba[from]! * alpha;
      green += rgba[from + 1]! * alpha;
      blue += rgba[from + 2]! * alpha;
      opacity += alpha;
      count += 1;
    }
  if (opacity === 0) return;
  target[at] = Math.round(red / opacity);
  target[at + 1] = Math.round(green / opacity);
  target[at + 2] = Math.round(blue / opacity);
  target[at + 3] = Math.round(opacity / count);
}
