//! What decides the shape of the [`Torso`](crate::Torso), as configuration files and the command line name it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::NnError;

/// What the torso is built of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TorsoKind {
    /// Plain convolutions: the Nature network.
    Conv,
    /// The same, with coordinate channels.
    CoordConv,
    /// No convolutions: a perceptron, for observations that are no pictures.
    Mlp,
}

impl fmt::Display for TorsoKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Conv => "conv",
            Self::CoordConv => "coordconv",
            Self::Mlp => "mlp",
        })
    }
}

impl FromStr for TorsoKind {
    type Err = NnError;

    fn from_str(name: &str) -> Result<Self, NnError> {
        match name {
            "conv" => Ok(Self::Conv),
            "coordconv" => Ok(Self::CoordConv),
            "mlp" => Ok(Self::Mlp),
            _ => Err(NnError::UnknownName {
                what: "torso",
                expected: "conv, coordconv or mlp",
                got: name.to_owned(),
            }),
        }
    }
}

/// Before which convolutions the coordinates join.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CoordLayers {
    /// Before the first.
    First,
    /// Before each.
    All,
}

impl fmt::Display for CoordLayers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::First => "first",
            Self::All => "all",
        })
    }
}

impl FromStr for CoordLayers {
    type Err = NnError;

    fn from_str(name: &str) -> Result<Self, NnError> {
        match name {
            "first" => Ok(Self::First),
            "all" => Ok(Self::All),
            _ => Err(NnError::UnknownName {
                what: "choice of coordinate layers",
                expected: "first or all",
                got: name.to_owned(),
            }),
        }
    }
}

/// What decides the torso's shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TorsoConfig {
    /// Plain, with coordinates, or a perceptron.
    pub kind: TorsoKind,
    /// Where the coordinates join; of no effect without coordinates.
    pub coord_layers: CoordLayers,
    /// Whether the radius is a third coordinate; of no effect without coordinates.
    pub coord_radius: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_config_reads_as_written_and_refuses_what_it_does_not_know() {
        let config: TorsoConfig =
            toml::from_str("kind = 'coordconv'\ncoord_layers = 'all'\ncoord_radius = true")
                .unwrap();
        let expected = TorsoConfig {
            kind: TorsoKind::CoordConv,
            coord_layers: CoordLayers::All,
            coord_radius: true,
        };
        assert_eq!(config, expected);
        for wrong in ["kind = 'coord'", "kind = 'conv'\nradius = true"] {
            assert!(toml::from_str::<TorsoConfig>(wrong).is_err(), "{wrong}");
        }
        for kind in [TorsoKind::Conv, TorsoKind::CoordConv, TorsoKind::Mlp] {
            assert_eq!(kind.to_string().parse(), Ok(kind));
        }
        for layers in [CoordLayers::First, CoordLayers::All] {
            assert_eq!(layers.to_string().parse(), Ok(layers));
        }
        let error = "cnn".parse::<TorsoKind>().unwrap_err().to_string();
        assert_eq!(
            error,
            "unknown torso \"cnn\": expected conv, coordconv or mlp"
        );
    }
}
