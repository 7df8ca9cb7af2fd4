-- expect: attempt to
_G.string = nil
(""):nothing()
